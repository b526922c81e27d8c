//! TCP/IP, HTTP and the OpenAI API as state machines.
