import com.fasterxml.jackson.databind.JsonNode;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.security.auth.callback.Callback;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;
import org.apache.kafka.common.security.auth.SaslExtensionsCallback;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerToken;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerTokenCallback;

/** Client credentials (RFC 6749 §4.4) fetched by the application, and the login callback that hands them to the client. */
public final class Tokens implements AuthenticateCallbackHandler {
  static volatile JsonNode auth;

  static JsonNode fetch(JsonNode auth) {
    String pair = auth.get("clientId").asText() + ":" + auth.get("clientSecret").asText();
    String basic = Base64.getEncoder().encodeToString(pair.getBytes(StandardCharsets.UTF_8));
    HttpRequest request = HttpRequest.newBuilder(URI.create(auth.get("tokenUrl").asText()))
        .header("authorization", "Basic " + basic)
        .header("content-type", "application/x-www-form-urlencoded")
        .POST(HttpRequest.BodyPublishers.ofString("grant_type=client_credentials"))
        .build();
    try {
      HttpResponse<String> response = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
      return Program.JSON.readTree(response.body());
    } catch (Exception error) {
      throw new IllegalStateException("no token", error);
    }
  }

  @Override
  public void configure(Map<String, ?> configs, String mechanism, List<AppConfigurationEntry> entries) {}

  @Override
  public void close() {}

  @Override
  public void handle(Callback[] callbacks) {
    for (Callback callback : callbacks) {
      if (callback instanceof OAuthBearerTokenCallback wanted) wanted.token(token());
      else if (!(callback instanceof SaslExtensionsCallback)) throw new IllegalArgumentException(callback.toString());
    }
  }

  private static OAuthBearerToken token() {
    JsonNode answer = fetch(auth);
    long now = System.currentTimeMillis();
    return new Given(answer.get("access_token").asText(), now, now + answer.get("expires_in").asLong() * 1000);
  }

  private record Given(String value, long start, long lifetimeMs) implements OAuthBearerToken {
    @Override
    public Set<String> scope() {
      return Set.of();
    }

    @Override
    public Long startTimeMs() {
      return start;
    }

    @Override
    public String principalName() {
      return "application";
    }
  }
}
