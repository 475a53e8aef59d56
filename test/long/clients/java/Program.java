import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;

/** What the Java programs have in common: the task in, the answer out, and how the client says who it is. */
final class Program {
  static final ObjectMapper JSON = new ObjectMapper();
  private static final Base64.Decoder DECODER = Base64.getDecoder();
  private static final Base64.Encoder ENCODER = Base64.getEncoder();
  private static final String OAUTH = "org.apache.kafka.common.security.oauthbearer.";

  private Program() {}

  interface Work {
    void run() throws Exception;
  }

  /** From the file that is named, else from stdin. */
  static JsonNode readTask(String[] args) throws Exception {
    byte[] line = args.length > 0 ? Files.readAllBytes(Path.of(args[0])) : System.in.readAllBytes();
    return JSON.readTree(line);
  }

  /** The JVM ends here, whatever threads a library leaves behind. */
  static void answer(ObjectNode answer) throws Exception {
    System.out.println();
    System.out.println(JSON.writeValueAsString(answer));
    System.out.flush();
    Runtime.getRuntime().halt(0);
  }

  static Properties client(JsonNode task) {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", task.get("bootstrap").asText());
    properties.put("client.id", task.get("clientId").asText());
    properties.put("ssl.truststore.type", "PEM");
    properties.put("ssl.truststore.location", task.get("caFile").asText());
    JsonNode auth = task.get("auth");
    switch (auth.get("kind").asText()) {
      case "mtls" -> {
        properties.put("security.protocol", "SSL");
        properties.put("ssl.keystore.type", "PEM");
        properties.put("ssl.keystore.location", auth.get("keyStoreFile").asText());
      }
      case "plain" -> {
        properties.put("security.protocol", "SASL_SSL");
        properties.put("sasl.mechanism", "PLAIN");
        properties.put("sasl.jaas.config", "org.apache.kafka.common.security.plain.PlainLoginModule required"
            + " username=\"token\" password=\"" + Tokens.fetch(auth).get("access_token").asText() + "\";");
      }
      case "callback" -> {
        bearer(properties);
        properties.put("sasl.login.callback.handler.class", Tokens.class.getName());
        Tokens.auth = auth;
      }
      default -> {
        bearer(properties);
        properties.put("sasl.login.callback.handler.class", OAUTH + "OAuthBearerLoginCallbackHandler");
        properties.put("sasl.oauthbearer.token.endpoint.url", auth.get("tokenUrl").asText());
        properties.put("sasl.oauthbearer.client.credentials.client.id", auth.get("clientId").asText());
        properties.put("sasl.oauthbearer.client.credentials.client.secret", auth.get("clientSecret").asText());
      }
    }
    return properties;
  }

  private static void bearer(Properties properties) {
    properties.put("security.protocol", "SASL_SSL");
    properties.put("sasl.mechanism", "OAUTHBEARER");
    properties.put("sasl.jaas.config", OAUTH + "OAuthBearerLoginModule required;");
  }

  static byte[] decoded(JsonNode base64) {
    return DECODER.decode(base64.asText());
  }

  static String encoded(byte[] bytes) {
    return bytes == null ? "" : ENCODER.encodeToString(bytes);
  }

  static ObjectNode received(ConsumerRecord<byte[], byte[]> record) {
    ObjectNode node = JSON.createObjectNode();
    node.put("partition", record.partition()).put("offset", record.offset());
    node.put("key", encoded(record.key())).put("value", encoded(record.value()));
    ArrayNode headers = node.putArray("headers");
    for (Header header : record.headers()) headers.addArray().add(header.key()).add(encoded(header.value()));
    return node;
  }

  /** What the work was refused with, and all that caused it; `none` where it was not. */
  static String refusal(Work work) {
    try {
      work.run();
      return "none";
    } catch (Exception error) {
      List<String> words = new ArrayList<>();
      for (Throwable cause = error; cause != null; cause = cause.getCause()) words.add(cause.toString());
      return String.join(" | ", words);
    }
  }
}
