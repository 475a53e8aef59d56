/*
 * Drives real Kafka requests through whatever listens on PORT, over many connections, and checks every answer.
 * Closed loop: so many requests in flight on each connection. Open loop (RATE > 0): requests leave at fixed times, and
 * latency counts from the time a request should have left, so that a stall costs all the requests it held up.
 *
 *   client --port P --request FILE --response FILE [--opening FILE] [--connections N] [--in-flight N] [--rate PER_SECOND]
 *          [--warm-up SECONDS] [--seconds SECONDS] [--vary COUNT:REQUEST_AT:RESPONSE_AT] [--begin FILE] [--count REQUEST_AT]
 *
 * OPENING holds frames sent first, one at a time (SASL), and BEGIN one more (a fetch that begins a session). VARY numbers
 * the topics: 4 bytes in the request and answer. COUNT numbers each connection's requests from 1 (a session's epochs).
 * Prints "ready" when all are connected, "start" after the warm-up (where topics vary it begins once each was asked for),
 * then "end" and one line of JSON. Exit code 1 on anything but the expected answer.
 */
#include "frames.h"
#include "histogram.h"
#include "options.h"
#include <sys/epoll.h>
#include <sys/timerfd.h>

#define EVENTS_MAX 256
/* Whole answers are compared this often; the head of each one always. */
#define COMPARE_EVERY 64u
#define BACKLOG_MAX (1u << 20)
#define FIRST_USES_MAX_NS 60000000000u

typedef struct {
  int fd;
  bool blocked;
  uint32_t next_sent, next_received; /* correlation ids */
  uint64_t *times;                   /* when each request in flight left, or should have */
  uint32_t times_capacity;
  InFrame in;
  OutQueue out;
} Connection;

static Options options;
static Connection *connections;
static Histogram latencies;
static uint8_t buffer[READ_BYTES];
static bool measuring, stopping;
static uint64_t frames_done, open_loop_next, open_loop_interval;
static uint32_t open_loop_turn;
static int poll_fd;

/** A prime's multiples come by each of 10,000 topics once before they come by one again. */
static uint32_t topic_of(uint32_t correlation) { return (uint32_t)((uint64_t)correlation * 7919u % options.vary_count); }

static void remember_time(Connection *connection, uint64_t time) {
  uint32_t waiting = connection->next_sent - connection->next_received;
  if (waiting >= connection->times_capacity) {
    if (waiting >= BACKLOG_MAX) fail("over %u requests wait on one connection: the rate is more than can be served", BACKLOG_MAX);
    uint32_t capacity = connection->times_capacity == 0 ? 8 : connection->times_capacity * 2;
    uint64_t *times = allocated(capacity, sizeof *times);
    for (uint32_t i = connection->next_received; i != connection->next_sent; i++) {
      times[i & (capacity - 1)] = connection->times[i & (connection->times_capacity - 1)];
    }
    free(connection->times);
    connection->times = times;
    connection->times_capacity = capacity;
  }
  connection->times[connection->next_sent & (connection->times_capacity - 1)] = time;
}

static void queue_request(Connection *connection, uint64_t time) {
  remember_time(connection, time);
  OutFrame *frame = out_push(&connection->out, &options.request);
  put32(frame->head + REQUEST_CORRELATION_AT, connection->next_sent);
  if (options.vary_count > 1) put32(frame->head + options.vary_request_at, topic_of(connection->next_sent));
  if (options.count_at > 0) put32(frame->head + options.count_at, connection->next_sent + 1);
  connection->next_sent++;
}

static void wrong(const Connection *connection, const char *what) {
  const InFrame *in = &connection->in;
  fprintf(stderr, "load: %s, in answer %u of %u bytes:", what, connection->next_received, in->length);
  for (uint32_t i = 0; i < in->have && i < 96; i++) fprintf(stderr, " %02x", in->head[i]);
  fail("\nload: expected %u bytes", options.response.length);
}

static void check_head(Connection *connection) {
  InFrame *in = &connection->in;
  if (in->length != options.response.length) wrong(connection, "an answer of another length");
  if (get32(in->head + RESPONSE_CORRELATION_AT) != connection->next_received) wrong(connection, "another correlation id");
  put32(in->head + RESPONSE_CORRELATION_AT, 0);
  if (options.vary_count > 1) {
    if (get32(in->head + options.vary_response_at) != topic_of(connection->next_received)) wrong(connection, "another topic");
    put32(in->head + options.vary_response_at, 0);
  }
  uint32_t compared = in->length < HEAD_BYTES ? in->length : HEAD_BYTES;
  if (memcmp(in->head, options.response.bytes, compared) != 0) wrong(connection, "another answer");
}

static void answered(Connection *connection, uint64_t now) {
  check_head(connection);
  uint64_t left = connection->times[connection->next_received & (connection->times_capacity - 1)];
  connection->next_received++;
  if (measuring) {
    frames_done++;
    histogram_add(&latencies, now > left ? now - left : 0);
  }
  if (open_loop_interval == 0 && !stopping) queue_request(connection, now);
  in_next(&connection->in);
}

static void compare_rest(Connection *connection, uint32_t at, const uint8_t *bytes, size_t count) {
  if (connection->next_received % COMPARE_EVERY != 0 || at + count <= HEAD_BYTES) return;
  size_t skip = at < HEAD_BYTES ? HEAD_BYTES - at : 0;
  if (at + count > options.response.length) wrong(connection, "a longer answer");
  if (memcmp(bytes + skip, options.response.bytes + at + skip, count - skip) != 0) wrong(connection, "other bytes");
}

static void flush(Connection *connection) {
  OutResult result = out_flush(&connection->out, connection->fd);
  if (result == OUT_BROKEN) fail("load: a connection broke while it was written to: %s", strerror(errno));
  bool blocked = result == OUT_BLOCKED;
  if (blocked == connection->blocked) return;
  connection->blocked = blocked;
  struct epoll_event event = {.events = EPOLLIN | (blocked ? EPOLLOUT : 0u), .data.ptr = connection};
  epoll_ctl(poll_fd, EPOLL_CTL_MOD, connection->fd, &event);
}

static void take(Connection *connection) {
  for (;;) {
    ssize_t count = recv(connection->fd, buffer, sizeof buffer, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail("load: a connection was closed after %u answers: %s", connection->next_received, count == 0 ? "end" : strerror(errno));
    uint64_t now = now_ns();
    for (size_t used = 0; used < (size_t)count;) {
      uint32_t at = connection->in.have;
      size_t taken = in_take(&connection->in, buffer + used, (size_t)count - used);
      compare_rest(connection, at, buffer + used, taken);
      used += taken;
      if (in_whole(&connection->in)) answered(connection, now);
    }
    if (count < (ssize_t)sizeof buffer) return;
  }
}

/* Queues what is due by now. Returns when the next is due. */
static void send_due(int timer) {
  uint64_t now = now_ns();
  while (open_loop_next <= now) {
    Connection *connection = &connections[open_loop_turn];
    open_loop_turn = (open_loop_turn + 1) % options.connections;
    queue_request(connection, open_loop_next);
    flush(connection);
    open_loop_next += open_loop_interval;
  }
  struct itimerspec at = {.it_value = {(time_t)(open_loop_next / 1000000000u), (long)(open_loop_next % 1000000000u)}};
  timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void run_until(uint64_t end, int timer) {
  struct epoll_event events[EVENTS_MAX];
  for (;;) {
    uint64_t now = now_ns();
    if (now >= end) return;
    int ready = epoll_wait(poll_fd, events, EVENTS_MAX, (int)((end - now) / 1000000u) + 1);
    for (int i = 0; i < ready; i++) {
      Connection *connection = events[i].data.ptr;
      if (connection == NULL) {
        uint64_t expirations;
        if (read(timer, &expirations, sizeof expirations) > 0) send_due(timer);
        continue;
      }
      take(connection);
      flush(connection);
    }
  }
}

static int begin(void) {
  for (uint32_t i = 0; i < options.connections; i++) {
    connections[i].fd = connected(&options);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, connections[i].fd, &event);
  }
  puts("ready");
  fflush(stdout);
  if (options.rate == 0) {
    uint64_t now = now_ns();
    for (uint32_t i = 0; i < options.connections; i++) {
      for (uint32_t j = 0; j < options.in_flight; j++) queue_request(&connections[i], now);
      flush(&connections[i]);
    }
    return -1;
  }
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(poll_fd, EPOLL_CTL_ADD, timer, &event);
  open_loop_interval = (uint64_t)(1e9 / options.rate);
  open_loop_next = now_ns() + open_loop_interval;
  send_due(timer);
  return timer;
}

static void report(double seconds) {
  printf("{\"frames\":%llu,\"seconds\":%.6f,\"requestBytes\":%u,\"responseBytes\":%u,", (unsigned long long)frames_done, seconds,
         options.request.length, options.response.length);
  printf("\"latencyUs\":{\"p50\":%.2f,\"p90\":%.2f,\"p99\":%.2f,\"p999\":%.2f,\"max\":%.2f}}\n", histogram_at(&latencies, 0.5) / 1e3,
         histogram_at(&latencies, 0.9) / 1e3, histogram_at(&latencies, 0.99) / 1e3, histogram_at(&latencies, 0.999) / 1e3,
         (double)latencies.largest / 1e3);
}

/** Each connection has asked for every topic: what a first use costs is over. */
static bool all_known(void) {
  if (options.vary_count <= 1) return true;
  for (uint32_t i = 0; i < options.connections; i++) {
    if (connections[i].next_received < options.vary_count) return false;
  }
  return true;
}

int main(int count, char **arguments) {
  raise_descriptor_limit();
  options = read_options(count, arguments);
  poll_fd = epoll_create1(EPOLL_CLOEXEC);
  connections = allocated(options.connections, sizeof *connections);
  int timer = begin();
  uint64_t latest = now_ns() + FIRST_USES_MAX_NS;
  while (!all_known() && now_ns() < latest) run_until(now_ns() + 100000000u, timer);
  if (!all_known()) fail("not every topic was asked for once within a minute");
  run_until(now_ns() + (uint64_t)(options.warm_up * 1e9), timer);
  puts("start");
  fflush(stdout);
  measuring = true;
  uint64_t started = now_ns();
  run_until(started + (uint64_t)(options.seconds * 1e9), timer);
  measuring = false;
  double seconds = (double)(now_ns() - started) / 1e9;
  puts("end");
  fflush(stdout);
  stopping = true;
  report(seconds);
  return 0;
}
