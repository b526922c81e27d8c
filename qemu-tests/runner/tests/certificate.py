"""The certificate of an appliance, read by independent tools: argv[1] is HOST:PORT, argv[2] the key that was verified."""

import json
import socket
import ssl
import sys

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

host, port = sys.argv[1].split(":")
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
with socket.create_connection((host, int(port))) as plain, context.wrap_socket(plain) as channel:
    assert channel.version() == "TLSv1.3", channel.version()
    shown = x509.load_der_x509_certificate(channel.getpeercert(binary_form=True))

key = shown.public_key()
key.verify(shown.signature, shown.tbs_certificate_bytes)
assert key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex() == sys.argv[2]
wrapper = shown.extensions.get_extension_for_oid(x509.ObjectIdentifier("2.23.133.5.4.9"))
# RFC 9999: a CHOICE; the tag of OCTET STRING says that it is CBOR.
assert not wrapper.critical and wrapper.value.value[0] == 4, wrapper
length = wrapper.value.value[1]
record = cbor2.loads(wrapper.value.value[2 + (length & 0x7F if length & 0x80 else 0):])
kind, evidence, indicator = record
assert (kind, indicator) == ("application/vnd.vial.evidence+json", 4), record
assert json.loads(evidence)["channel_key"] == sys.argv[2]
