import io.kroxylicious.proxy.KafkaProxy;
import io.kroxylicious.proxy.config.ConfigParser;
import io.kroxylicious.proxy.internal.config.Features;
import java.nio.file.Files;
import java.nio.file.Path;

/** Kroxylicious from its runtime's jars, where its distribution with a main class of its own cannot be had. */
public final class StartKroxylicious {
  private StartKroxylicious() {}

  public static void main(String[] args) throws Exception {
    var parser = new ConfigParser();
    // As its own main class has it: --config FILE.
    var configuration = parser.parseConfiguration(Files.readString(Path.of(args[1])));
    try (var proxy = new KafkaProxy(parser, configuration, Features.defaultFeatures())) {
      proxy.startup().block();
    }
  }
}
