"""Reads a signed CoRIM by pycose and cbor2: checks the signature, prints what it says as JSON.

Arguments: the file, and the publisher's public key in hex. Ends with 1 if the signature does not hold.
"""

import json
import sys

import cbor2
from pycose.keys import OKPKey
from pycose.keys.curves import Ed25519
from pycose.messages import CoseMessage

path, public = sys.argv[1], bytes.fromhex(sys.argv[2])
message = CoseMessage.decode(open(path, "rb").read())
message.key = OKPKey(crv=Ed25519, x=public)
if not message.verify_signature():
    sys.exit(1)
header = cbor2.loads(message.phdr_encoded)
corim = cbor2.loads(message.payload)
tags = [cbor2.loads(tag.value) for tag in corim.value[1]]
(environment, measurements), = tags[0][4][0]
print(json.dumps({
    "algorithm": header[1],
    "content type": header[3],
    "signer": cbor2.loads(header[8])[0][0],
    "tags": [corim.tag, corim.value[1][0].tag],
    "identities": [corim.value[0], tags[0][1][0]],
    "tool": corim.value[5][0][0],
    "class": [environment[0][1], environment[0][2]],
    "digests": {one[0]: [one[1][2][0][0], one[1][2][0][1].hex()] for one in measurements},
}))
