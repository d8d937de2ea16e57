import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.nio.charset.StandardCharsets;
import org.apache.avro.NameValidator;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;
import org.apache.avro.SystemLimitException;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;

/**
 * Judges Avro schemas and payloads for tests/avro_agreement. Each question and each answer is a frame: four bytes of
 * length (big-endian), then so many bytes. A question's first byte says what it asks:
 *
 * S schema text: answers two bytes, whether the text is a schema as a registry holds it (any names, any defaults)
 *   and as a new one (strict names, defaults that fit); why it is not a new one and a zero; then the
 *   schema's own text, or why it is none.
 * P (length, payload)...: answers one byte a payload of the last schema: 0 valid, 1 not, 2 over a limit of this
 *   library, 3 its stack overflowed.
 * E payload: answers why it is not valid.
 * C (length, reader's schema) (length, writer's schema): answers a byte, 1, 0 when it throws, 2 when one of them is
 *   no schema; then of each reason why
 *   the reader cannot read what the writer wrote its kind, location and message, each before a zero; or the exception.
 */
public final class AvroVerdicts {
  private static final byte VALID = 0;
  private static final byte INVALID = 1;
  private static final byte OVER_LIMIT = 2;
  private static final byte STACK_OVERFLOW = 3;

  private GenericDatumReader<Object> reader;

  public static void main(String[] arguments) throws Exception {
    var in = new DataInputStream(new BufferedInputStream(System.in, 1 << 16));
    var out = new DataOutputStream(new BufferedOutputStream(System.out, 1 << 16));
    // What a library prints must not get into the answers.
    System.setOut(System.err);
    // Deep payloads are no fault of the payload's.
    var thread = new Thread(null, () -> serve(in, out), "verdicts", 16 << 20);
    thread.start();
    thread.join();
  }

  private static void serve(DataInputStream in, DataOutputStream out) {
    var verdicts = new AvroVerdicts();
    try {
      while (true) {
        byte[] question = in.readNBytes(in.readInt());
        byte[] answer = verdicts.answer(question);
        out.writeInt(answer.length);
        out.write(answer);
        out.flush();
      }
    } catch (EOFException end) {
      // The test has ended.
    } catch (Exception broken) {
      broken.printStackTrace();
      System.exit(1);
    }
  }

  private byte[] answer(byte[] question) throws Exception {
    switch (question[0]) {
      case 'S':
        return schema(new String(question, 1, question.length - 1, StandardCharsets.UTF_8));
      case 'P':
        return payloads(question);
      case 'C':
        return compatibility(question);
      default:
        byte[] payload = java.util.Arrays.copyOfRange(question, 1, question.length);
        return String.valueOf(read(payload)).getBytes(StandardCharsets.UTF_8);
    }
  }

  private byte[] schema(String text) {
    reader = null;
    String says;
    boolean held = false;
    try {
      Schema schema = parse(text, NameValidator.NO_VALIDATION, false);
      held = true;
      says = schema.toString();
      reader = new GenericDatumReader<>(schema);
    } catch (Exception | StackOverflowError | OutOfMemoryError refusal) {
      says = refusal.toString();
    }
    boolean isNew = false;
    String whyNotNew = "";
    try {
      parse(text, NameValidator.STRICT_VALIDATOR, true);
      isNew = true;
    } catch (Exception | StackOverflowError | OutOfMemoryError refusal) {
      whyNotNew = refusal.toString();
    }
    var answer = new java.io.ByteArrayOutputStream();
    answer.write(held ? 1 : 0);
    answer.write(isNew ? 1 : 0);
    answer.writeBytes(whyNotNew.getBytes(StandardCharsets.UTF_8));
    answer.write(0);
    answer.writeBytes(says.getBytes(StandardCharsets.UTF_8));
    return answer.toByteArray();
  }

  private static Schema parse(String text, NameValidator names, boolean defaults) {
    return new Schema.Parser(names).setValidateDefaults(defaults).parse(text);
  }

  private byte[] compatibility(byte[] question) throws Exception {
    var in = new DataInputStream(new java.io.ByteArrayInputStream(question, 1, question.length - 1));
    var answer = new java.io.ByteArrayOutputStream();
    Schema reader;
    Schema writer;
    try {
      reader = held(in.readNBytes(in.readInt()));
      writer = held(in.readNBytes(in.readInt()));
    } catch (RuntimeException | StackOverflowError refusal) {
      return new byte[] {2};
    }
    try {
      var result = SchemaCompatibility.checkReaderWriterCompatibility(reader, writer).getResult();
      answer.write(1);
      for (var reason : result.getIncompatibilities()) {
        for (String word : new String[] {
            reason.getType().name(), reason.getLocation(), reason.getMessage() }) {
          answer.writeBytes(word.getBytes(StandardCharsets.UTF_8));
          answer.write(0);
        }
      }
    } catch (Exception | StackOverflowError | OutOfMemoryError thrown) {
      answer.reset();
      answer.write(0);
      answer.writeBytes(thrown.toString().getBytes(StandardCharsets.UTF_8));
    }
    return answer.toByteArray();
  }

  private static Schema held(byte[] text) {
    return parse(new String(text, StandardCharsets.UTF_8), NameValidator.NO_VALIDATION, false);
  }

  private byte[] payloads(byte[] question) throws Exception {
    var in = new DataInputStream(new java.io.ByteArrayInputStream(question, 1, question.length - 1));
    var verdicts = new java.io.ByteArrayOutputStream();
    while (in.available() > 0) {
      Throwable why = read(in.readNBytes(in.readInt()));
      if (why == null) {
        verdicts.write(VALID);
      } else if (why instanceof StackOverflowError) {
        verdicts.write(STACK_OVERFLOW);
      } else if (why instanceof SystemLimitException || why instanceof OutOfMemoryError) {
        verdicts.write(OVER_LIMIT);
      } else {
        verdicts.write(INVALID);
      }
    }
    return verdicts.toByteArray();
  }

  /** Null when the payload is valid. */
  private Throwable read(byte[] payload) {
    try {
      BinaryDecoder decoder = DecoderFactory.get().binaryDecoder(payload, null);
      reader.read(null, decoder);
      return decoder.isEnd() ? null : new EOFException("bytes left over");
    } catch (Exception | StackOverflowError | OutOfMemoryError refusal) {
      return refusal;
    }
  }
}
