import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.header.Header;

/**
 * What the programs share: a file of records, one a line (topic, partition, timestamp, key, value, headers, with tabs
 * between; bytes in hex, "-" is null, "" is empty; headers as name=hex,name=hex), and one JSON line for each outcome.
 */
final class Records {
    private static final HexFormat HEX = HexFormat.of();

    private Records() {}

    static List<ProducerRecord<byte[], byte[]>> read(String file) throws Exception {
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (String line : Files.readAllLines(Path.of(file))) {
            String[] field = line.split("\t", -1);
            Integer partition = field[1].equals("-") ? null : Integer.valueOf(field[1]);
            Long timestamp = field[2].equals("-") ? null : Long.valueOf(field[2]);
            ProducerRecord<byte[], byte[]> record =
                new ProducerRecord<>(field[0], partition, timestamp, bytes(field[3]), bytes(field[4]));
            if (!field[5].isEmpty()) {
                for (String header : field[5].split(",")) {
                    int equals = header.lastIndexOf('=');
                    record.headers().add(header.substring(0, equals), bytes(header.substring(equals + 1)));
                }
            }
            records.add(record);
        }
        return records;
    }

    /** Client configuration from arguments of the form key=value, from the given index on. */
    static Properties configuration(String[] arguments, int from) {
        Properties properties = new Properties();
        for (int index = from; index < arguments.length; index++) {
            int equals = arguments[index].indexOf('=');
            properties.put(arguments[index].substring(0, equals), arguments[index].substring(equals + 1));
        }
        return properties;
    }

    static String outcome(int index, RecordMetadata metadata, Throwable error) {
        if (error != null) {
            return "{\"index\":" + index + ",\"error\":" + quote(error.getClass().getSimpleName())
                + ",\"message\":" + quote(error.getMessage()) + "}";
        }
        return "{\"index\":" + index + ",\"topic\":" + quote(metadata.topic()) + ",\"partition\":"
            + metadata.partition() + ",\"offset\":" + (metadata.hasOffset() ? metadata.offset() : -1)
            + ",\"timestamp\":" + metadata.timestamp() + "}";
    }

    static String consumed(ConsumerRecord<byte[], byte[]> record) {
        StringBuilder headers = new StringBuilder();
        for (Header header : record.headers()) {
            if (headers.length() > 0) {
                headers.append(',');
            }
            headers.append('[').append(quote(header.key())).append(',').append(hex(header.value())).append(']');
        }
        return "{\"topic\":" + quote(record.topic()) + ",\"partition\":" + record.partition() + ",\"offset\":"
            + record.offset() + ",\"timestamp\":" + record.timestamp() + ",\"key\":" + hex(record.key())
            + ",\"value\":" + hex(record.value()) + ",\"headers\":[" + headers + "]}";
    }

    static String hex(byte[] bytes) {
        return bytes == null ? "null" : '"' + HEX.formatHex(bytes) + '"';
    }

    static String quote(String text) {
        if (text == null) {
            return "null";
        }
        StringBuilder quoted = new StringBuilder("\"");
        for (char character : text.toCharArray()) {
            if (character == '"' || character == '\\') {
                quoted.append('\\').append(character);
            } else if (character < ' ') {
                quoted.append(String.format("\\u%04x", (int) character));
            } else {
                quoted.append(character);
            }
        }
        return quoted.append('"').toString();
    }

    static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] bytes(String text) {
        return text.equals("-") ? null : HEX.parseHex(text);
    }
}
