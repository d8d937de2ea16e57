"""Keys and tokens of another implementation, good ones and hostile ones, as one JSON object on standard output."""

import base64
import hashlib
import hmac
import json
import sys
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ISSUER, AUDIENCE = sys.argv[1:3]
NOW = int(time.time())


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, length):
    return b64(value.to_bytes(length, "big"))


class Key:
    def __init__(self, kid, alg):
        self.kid, self.alg = kid, alg
        if alg == "RS256":
            self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        elif alg == "ES256":
            self.private = ec.generate_private_key(ec.SECP256R1())
        else:
            self.private = ed25519.Ed25519PrivateKey.generate()

    def sign(self, message):
        if self.alg == "RS256":
            return self.private.sign(message, padding.PKCS1v15(), hashes.SHA256())
        if self.alg == "ES256":
            r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        return self.private.sign(message)

    def jwk(self):
        public = self.private.public_key()
        if self.alg == "RS256":
            numbers = public.public_numbers()
            own = {"kty": "RSA", "n": number(numbers.n, 256), "e": number(numbers.e, 3)}
        elif self.alg == "ES256":
            numbers = public.public_numbers()
            own = {"kty": "EC", "crv": "P-256", "x": number(numbers.x, 32), "y": number(numbers.y, 32)}
        else:
            raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            own = {"kty": "OKP", "crv": "Ed25519", "x": b64(raw)}
        return {**own, "kid": self.kid, "alg": self.alg, "use": "sig"}


def claims(**changes):
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "groups": ["payments"],
        "iat": NOW,
        "nbf": NOW - 10,
        "exp": NOW + 3600,
    }
    good.update(changes)
    return {name: value for name, value in good.items() if value is not None}


def token(key, payload=None, header=None, sign=None):
    header = {"typ": "JWT", "alg": key.alg, "kid": key.kid} if header is None else header
    payload = claims() if payload is None else payload
    message = b64(json.dumps(header).encode()) + "." + b64(json.dumps(payload).encode())
    signature = (sign or key.sign)(message.encode())
    return message + "." + b64(signature)


def secret(*of):
    return lambda message: hmac.new(of[0], message, hashlib.sha256).digest()


rs, es, ed = Key("rs", "RS256"), Key("es", "ES256"), Key("ed", "EdDSA")
new, stranger = Key("new", "ES256"), Key("stranger", "RS256")
pem = rs.private.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
good = token(rs)
head, body, signature = good.split(".")
es_head, es_body, es_signature = token(es).split(".")
der = es.private.sign(f"{es_head}.{es_body}".encode(), ec.ECDSA(hashes.SHA256()))
other_body = b64(json.dumps(claims(sub="root")).encode())
none = {"alg": "none", "kid": "rs"}

hostile = {
    "none": token(rs, header=none, sign=lambda _: b""),
    "none, with a signature": token(rs, header=none),
    "None": token(rs, header={"alg": "None"}, sign=lambda _: b""),
    "nOnE without kid": token(rs, header={"alg": "nOnE"}, sign=lambda _: b""),
    "no alg": token(rs, header={"kid": "rs"}),
    "HS256 under the public key as PEM": token(rs, header={"alg": "HS256", "kid": "rs"}, sign=secret(pem)),
    "HS256 under the public key as JWK": token(
        rs, header={"alg": "HS256", "kid": "rs"}, sign=secret(json.dumps(rs.jwk()).encode())
    ),
    "HS256 under nothing": token(rs, header={"alg": "HS256", "kid": "rs"}, sign=secret(b"")),
    "RS512 in the header": token(rs, header={"alg": "RS512", "kid": "rs"}),
    "ES256 in the header of an RSA key's": token(rs, header={"alg": "ES256", "kid": "rs"}),
    "another key's kid": token(es, header={"alg": "ES256", "kid": "rs"}),
    "another key's kid and alg": token(es, header={"alg": "RS256", "kid": "rs"}),
    "an unknown kid": token(stranger),
    "a stranger's key under a known kid": token(stranger, header={"alg": "RS256", "kid": "rs"}),
    "a stranger's key in the header": token(
        stranger, header={"alg": "RS256", "kid": "rs", "jwk": stranger.jwk()}
    ),
    "a stranger's key by URL": token(
        stranger, header={"alg": "RS256", "kid": "stranger", "jku": "http://127.0.0.1:1/keys"}
    ),
    "no kid": token(rs, header={"alg": "RS256"}),
    "a kid that is a number": token(rs, header={"alg": "RS256", "kid": 1}),
    "a kid that is a path": token(rs, header={"alg": "RS256", "kid": "../../../dev/null"}),
    "crit": token(rs, header={"alg": "RS256", "kid": "rs", "crit": ["exp"], "exp": 0}),
    "another payload": f"{head}.{other_body}.{signature}",
    "no signature": f"{head}.{body}.",
    "a shorter signature": good[:-4],
    "a longer signature": good + "AAAA",
    "two parts": f"{head}.{body}",
    "five parts": f"{good}.{body}.{signature}",
    "a signature in DER": f"{es_head}.{es_body}.{b64(der)}",
    "a signature of zeros": f"{es_head}.{es_body}.{b64(bytes(64))}",
    "an empty ES256 signature": f"{es_head}.{es_body}.",
    "exp as text": token(rs, claims(exp=str(NOW + 3600))),
    "exp as a list": token(rs, claims(exp=[NOW + 3600])),
    "exp as an object": token(rs, claims(exp={"at": NOW + 3600})),
    "exp as true": token(rs, claims(exp=True)),
    "exp as null": token(rs, {**claims(), "exp": None}),
    "no exp": token(rs, claims(exp=None)),
    "expired": token(rs, claims(exp=NOW - 61)),
    "nbf as text": token(rs, claims(nbf=str(NOW))),
    "not yet valid": token(rs, claims(nbf=NOW + 600)),
    "another issuer": token(rs, claims(iss="https://evil")),
    "no issuer": token(rs, claims(iss=None)),
    "a list of issuers": token(rs, claims(iss=[ISSUER])),
    "another audience": token(rs, claims(aud="elsewhere")),
    "no audience": token(rs, claims(aud=None)),
    "no subject": token(rs, claims(sub=None)),
    "an empty subject": token(rs, claims(sub="")),
    "a subject that is a number": token(rs, claims(sub=1)),
    "groups that are a number": token(rs, claims(groups=1)),
    "a payload that is no object": token(rs, ["alice"]),
    "20,000 bytes": token(rs, claims(padding="x" * 20_000)),
    "not base64": "a!.b!.c!",
    "dots": "..",
}

print(
    json.dumps(
        {
            "keys": {"keys": [rs.jwk(), es.jwk(), ed.jwk()]},
            "rotated": {"keys": [new.jwk()]},
            "good": {
                "RS256": good,
                "ES256": token(es),
                "EdDSA": token(ed),
                "a list of audiences": token(rs, claims(aud=["elsewhere", AUDIENCE])),
                "within the clock skew": token(ed, claims(exp=NOW - 10)),
                "exp with a fraction": token(es, claims(exp=NOW + 3600.5)),
            },
            "new": token(new),
            "bob": token(es, claims(sub="bob", groups=[])),
            "hostile": hostile,
        }
    )
)
