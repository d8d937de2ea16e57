import java.nio.ByteBuffer;

/**
 * The steadily numbered records of a producer: NAME/PARTITION/NUMBER as the key, an order in JSON as the value. Which
 * are bad is worked out from the seed, BAD of a thousand: some alone and some sixteen in a row, so that whole batches
 * are. `tests/support/numbered.rs`, `tests/real/python/numbered.py` and `tests/real/franz/main.go` say the same.
 */
final class Numbered {
    private static final int RUN = 16;

    private final String name;
    private final int schema;
    private final int seed;
    private final int bad;

    Numbered(String name, int schema, int seed, int bad) {
        this.name = name;
        this.schema = schema;
        this.seed = seed;
        this.bad = bad;
    }

    byte[] key(int partition, int number) {
        return Records.utf8(name + "/" + partition + "/" + number);
    }

    byte[] value(int number, boolean bad) {
        String total = bad ? "-1" : "1";
        byte[] payload = Records.utf8("{\"id\":\"" + name + "\",\"total\":" + total + ",\"count\":" + number + "}");
        return ByteBuffer.allocate(5 + payload.length).put((byte) 0).putInt(schema).put(payload).array();
    }

    boolean isBad(int partition, int number) {
        return thousandth(partition, number) < bad * 3 / 5 || thousandth(partition, ~(number / RUN)) < bad * 2 / 5;
    }

    private int thousandth(int partition, int number) {
        int mixed = number * 0x9E3779B1 + partition * 0x85EBCA77 + seed;
        mixed = (mixed ^ (mixed >>> 15)) * 0x2C1B3C6D;
        mixed = (mixed ^ (mixed >>> 12)) * 0x297A2D39;
        return Integer.remainderUnsigned(mixed ^ (mixed >>> 15), 1000);
    }
}
