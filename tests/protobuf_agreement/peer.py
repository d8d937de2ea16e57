"""Google's Protobuf as the second opinion: protobuf (upb) reads payloads, protoc reads schemas.

A frame either way is a length (u32, big-endian) and that many bytes. A request's first byte says what it is:

  S  schema: a length, the full name of the message, then a FileDescriptorSet; answers nothing, or why not
  P  payloads: each a length and its bytes; answers a byte each, of the bits below
  E  one payload: answers why it is refused, as text
  T  files of protoc: each a name and a text, either with its length; the first is compiled; answers 1 or 0, then text
"""

import os
import shutil
import struct
import sys
import tempfile

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal import api_implementation
from google.protobuf.message import DecodeError
from grpc_tools import _protoc_compiler
import grpc_tools

PARSED, INITIALIZED, UNKNOWN = 1, 2, 4

assert api_implementation.Type() == "upb", api_implementation.Type()

LENGTH = struct.Struct(">I")
requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
# What protoc prints must not get among the answers.
os.dup2(2, 1)


def pieces(data, at):
    while at < len(data):
        (length,) = LENGTH.unpack_from(data, at)
        at += 4
        yield data[at : at + length]
        at += length


def message_class(name, files):
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(files).file:
        pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def has_unknown(message):
    """Anywhere in it; they are gone afterwards. (Python cannot walk a map whose key is no UTF-8.)"""
    size = message.ByteSize()
    message.DiscardUnknownFields()
    return message.ByteSize() != size


def verdict(kind, payload):
    message = kind()
    try:
        message.ParseFromString(payload)
    except DecodeError:
        return 0
    if not message.IsInitialized():
        return PARSED
    return PARSED | INITIALIZED | (UNKNOWN if has_unknown(message) else 0)


def explain(kind, payload):
    message = kind()
    try:
        message.ParseFromString(payload)
    except DecodeError as error:
        return f"{error!r}"
    missing = message.FindInitializationErrors()
    return f"missing {missing}" if missing else f"valid, unknown fields: {has_unknown(message)}"


def compile_with_protoc(files):
    """protoc's verdict on the first of `files`, and what it prints."""
    well_known = os.path.join(os.path.dirname(grpc_tools.__file__), "_proto")
    root = tempfile.mkdtemp(dir=WORK)
    names = []
    for name, text in zip(files[::2], files[1::2]):
        names.append(name.decode())
        with open(os.path.join(root, names[-1]), "wb") as file:
            file.write(text)
    log = os.path.join(root, ".log")
    # protoc prints to the process's own standard error.
    saved = os.dup(2)
    with open(log, "wb") as printed:
        os.dup2(printed.fileno(), 2)
    arguments = ["protoc", f"-I{root}", f"-I{well_known}", f"--descriptor_set_out={root}/.out", names[0]]
    status = _protoc_compiler.run_main([argument.encode() for argument in arguments])
    os.dup2(saved, 2)
    os.close(saved)
    with open(log, "rb") as printed:
        text = printed.read().replace(root.encode() + b"/", b"")
    shutil.rmtree(root)
    return (b"\0" if status else b"\1") + text


def serve():
    kind = None
    while header := requests.read(4):
        request = requests.read(LENGTH.unpack(header)[0])
        what = request[:1]
        if what == b"S":
            (length,) = LENGTH.unpack_from(request, 1)
            answer = b""
            try:
                kind = message_class(request[5 : 5 + length].decode(), request[5 + length :])
            except TypeError as error:
                answer = str(error).encode()
        elif what == b"P":
            answer = bytes(verdict(kind, payload) for payload in pieces(request, 1))
        elif what == b"E":
            answer = explain(kind, request[1:]).encode()
        else:
            answer = compile_with_protoc(list(pieces(request, 1)))
        answers.write(LENGTH.pack(len(answer)) + answer)
        answers.flush()


with tempfile.TemporaryDirectory() as WORK:
    serve()
