import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.metrics.KafkaMetric;
import org.apache.kafka.common.metrics.MetricsReporter;
import org.apache.kafka.server.authorizer.AuthorizableRequestContext;
import org.apache.kafka.server.telemetry.ClientTelemetry;
import org.apache.kafka.server.telemetry.ClientTelemetryPayload;
import org.apache.kafka.server.telemetry.ClientTelemetryReceiver;

/** A broker's receiver of clients' metrics (KIP-714): a line in a file for each push. */
public final class Receiver implements MetricsReporter, ClientTelemetry, ClientTelemetryReceiver {
  private Path file;

  @Override
  public void configure(Map<String, ?> configs) {
    file = Path.of(String.valueOf(configs.get("receiver.file")));
  }

  @Override
  public ClientTelemetryReceiver clientReceiver() {
    return this;
  }

  @Override
  public synchronized void exportMetrics(AuthorizableRequestContext context, ClientTelemetryPayload payload) {
    String line = String.join(" ", context.clientId(), payload.clientInstanceId().toString(),
        String.valueOf(payload.data().remaining()), payload.isTerminating() ? "last" : "more") + "\n";
    try {
      Files.writeString(file, line, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    } catch (IOException error) {
      throw new IllegalStateException(error);
    }
  }

  @Override
  public void init(List<KafkaMetric> metrics) {}

  @Override
  public void metricChange(KafkaMetric metric) {}

  @Override
  public void metricRemoval(KafkaMetric metric) {}

  @Override
  public void close() {}
}
