"""The steadily numbered records of a producer, as in tests/real/java/Numbered.java."""

import struct

RUN = 16
MASK = 0xFFFFFFFF


class Numbered:
    def __init__(self, name, schema, seed, bad):
        self.name, self.schema, self.seed, self.bad = name, schema, seed, bad

    def key(self, partition, number):
        return f"{self.name}/{partition}/{number}".encode()

    def value(self, partition, number):
        total = -1 if self.is_bad(partition, number) else 1
        payload = f'{{"id":"{self.name}","total":{total},"count":{number}}}'.encode()
        return struct.pack(">BI", 0, self.schema) + payload

    def is_bad(self, partition, number):
        alone = self.thousandth(partition, number) < self.bad * 3 // 5
        return alone or self.thousandth(partition, ~(number // RUN)) < self.bad * 2 // 5

    def thousandth(self, partition, number):
        mixed = (number * 0x9E3779B1 + partition * 0x85EBCA77 + self.seed) & MASK
        mixed = (mixed ^ (mixed >> 15)) * 0x2C1B3C6D & MASK
        mixed = (mixed ^ (mixed >> 12)) * 0x297A2D39 & MASK
        return (mixed ^ (mixed >> 15)) % 1000
