"""Captures what real clients say, for tests/golden/: run by hand, after `bash tests/run --fetch`.

    target/real/venv/bin/python tests/real/capture.py tests/golden

Starts a Kafka that advertises the address of a relay, sends the same three records with each client in each
compression through it, and writes the first Produce request of each, and each client's first ApiVersions and
Metadata request and response, as whole frames (four bytes of length, then the message).
"""

import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

HOST = "127.0.0.1"
ROOT = pathlib.Path(__file__).resolve().parents[2]
REAL = pathlib.Path(os.environ.get("PORTCULLIS_REAL", ROOT / "target/real"))
GOLDEN = pathlib.Path(sys.argv[1])
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
APIS = {0: "produce", 3: "metadata", 18: "api-versions"}

LONG = b"a value long enough to be worth compressing " * 4
RECORDS = [
    ("k1", LONG, [("source", b"golden"), ("source", None)]),
    (None, b"", []),
    ("k3", None, [("empty", b"")]),
]


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


class Relay:
    """Passes bytes on, and keeps the frames of each direction while `frames` is a list."""

    def __init__(self, port, target):
        self.frames = None
        self.lock = threading.Lock()
        self.target = target
        listener = socket.create_server((HOST, port))
        threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            client, _ = listener.accept()
            try:
                server = socket.create_connection((HOST, self.target))
            except OSError:
                client.close()
                continue
            asked = {}
            threading.Thread(target=self.pump, args=(client, server, asked, True), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, asked, False), daemon=True).start()

    def pump(self, source, sink, asked, is_request):
        while True:
            try:
                head = self.exactly(source, 4)
                frame = head + self.exactly(source, struct.unpack(">i", head)[0])
                if is_request:
                    key, version, correlation = struct.unpack(">hhi", frame[4:12])
                    asked[correlation] = (key, version)
                else:
                    key, version = asked.pop(struct.unpack(">i", frame[4:8])[0])
                with self.lock:
                    if self.frames is not None:
                        self.frames.append((key, version, is_request, frame))
                sink.sendall(frame)
            except (EOFError, OSError):
                for one in (source, sink):
                    try:
                        one.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass
                return

    @staticmethod
    def exactly(source, length):
        data = b""
        while len(data) < length:
            more = source.recv(length - len(data))
            if not more:
                raise EOFError
            data += more
        return data


def start_kafka(home, port, relay_port):
    controller = free_port()
    properties = pathlib.Path(home) / "server.properties"
    properties.write_text(
        f"process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@{HOST}:{controller}\n"
        f"listeners=PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller}\n"
        f"advertised.listeners=PLAINTEXT://{HOST}:{relay_port}\ncontroller.listener.names=CONTROLLER\n"
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
        f"log.dirs={home}/data\noffsets.topic.replication.factor=1\n"
        "transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n"
    )
    java = ["java", "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{REAL}/kafka/*"]
    subprocess.run(
        [*java, "kafka.tools.StorageTool", "format", "-t", "cG9ydGN1bGxpcy10ZXN0cw", "-c", properties],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    kafka = subprocess.Popen([*java, "kafka.Kafka", properties], stdout=subprocess.DEVNULL)
    for _ in range(300):
        try:
            socket.create_connection((HOST, port)).close()
            time.sleep(3)
            return kafka
        except OSError:
            time.sleep(0.1)
    kafka.kill()
    raise SystemExit("Kafka does not start")


def lines(topic):
    def field(value):
        return "-" if value is None else value.hex()

    for number, (key, value, headers) in enumerate(RECORDS):
        named = ",".join(f"{name}={field(content)}" for name, content in headers)
        yield "\t".join(
            [topic, "0", str(1_700_000_000_000 + number), field(key and key.encode()), field(value), named]
        )


def commands(records, bootstrap, codec):
    java = ["java", "-cp", f"{ROOT}/target/built/classes:{REAL}/clients/*", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    python = [f"{REAL}/venv/bin/python", ROOT / "tests/real/python/produce.py"]
    settings = [f"bootstrap.servers={bootstrap}", f"compression.type={codec}"]
    text = pathlib.Path(records).with_suffix(".txt")
    text.write_text("".join(f"k{number}:{LONG.decode()}\n" for number in range(3)))
    yield "java-4.4.0", [*java, "Produce", records, "together", "client.id=golden", *settings]
    yield "librdkafka-2.16", [*python, records, "together", "client.id=golden", *settings]
    kcat = ["kcat", "-P", "-b", bootstrap, "-t", "golden", "-p", "0", "-K:", "-H", "source=kcat", "-l", text]
    yield "kcat-1.7.1", [*kcat, "-X", f"compression.codec={codec}", "-X", "client.id=golden"]


def write(client, codec, frames):
    for key, version, is_request, frame in frames:
        if key not in APIS or (key == 0 and not is_request):
            continue
        name = f"{client}-{APIS[key]}-v{version}" + (f"-{codec}" if key == 0 else "")
        path = GOLDEN / f"{name}-{'request' if is_request else 'response'}.bin"
        if (key != 0 and codec != "none") or path.exists():
            continue
        path.write_bytes(frame)
        print(f"{path.name}: {len(frame)} bytes")


def main():
    for old in GOLDEN.glob("*.bin"):
        old.unlink()
    with tempfile.TemporaryDirectory() as home:
        port, relay_port = free_port(), free_port()
        relay = Relay(relay_port, port)
        kafka = start_kafka(home, port, relay_port)
        try:
            records = pathlib.Path(home) / "records"
            records.write_text("".join(f"{line}\n" for line in lines("golden")))
            bootstrap = f"{HOST}:{relay_port}"
            for codec in CODECS:
                for client, command in commands(records, bootstrap, codec):
                    relay.frames = []
                    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)
                    write(client, codec, relay.frames)
        finally:
            kafka.kill()
            kafka.wait()


main()
