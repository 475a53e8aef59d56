import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Produced;

/** Copies a topic and counts its records per key, exactly once; runs until it is ended. The task is in the file named. */
public final class Streams {
  public static void main(String[] args) throws Exception {
    JsonNode task = Program.JSON.readTree(Files.readAllBytes(Path.of(args[0])));
    Properties properties = Program.client(task);
    properties.put("application.id", task.get("applicationId").asText());
    properties.put("state.dir", task.get("stateFolder").asText());
    properties.put("processing.guarantee", "exactly_once_v2");
    properties.put("commit.interval.ms", 200);
    properties.put("replication.factor", 1);
    properties.put("statestore.cache.max.bytes", 0); // every count, not only the last of each commit
    // One that is killed must not keep its partitions, nor its readers, for long.
    properties.put("consumer.session.timeout.ms", 6000);
    properties.put("consumer.heartbeat.interval.ms", 1500);
    properties.put("producer.transaction.timeout.ms", 6000);
    properties.put("consumer.max.poll.records", 50);
    StreamsBuilder builder = new StreamsBuilder();
    KStream<String, String> in =
        builder.stream(task.get("from").asText(), Consumed.with(Serdes.String(), Serdes.String()));
    in.mapValues(value -> "copy of " + value)
        .to(task.get("to").asText(), Produced.with(Serdes.String(), Serdes.String()));
    in.groupByKey().count().toStream().mapValues(String::valueOf)
        .to(task.get("counts").asText(), Produced.with(Serdes.String(), Serdes.String()));
    KafkaStreams streams = new KafkaStreams(builder.build(), properties);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(10))));
    streams.setUncaughtExceptionHandler(error -> {
      System.err.println(Program.refusal(() -> { throw new IllegalStateException(error); }));
      return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.SHUTDOWN_APPLICATION;
    });
    streams.start();
    Thread.currentThread().join();
  }
}
