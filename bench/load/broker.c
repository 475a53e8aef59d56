/*
 * A broker as fast as one core allows: answers each request with a frame made beforehand, its correlation id (and what
 * the rule says) patched in from the request. Keeps nothing.
 *
 *   broker PORT RULES      prints "ready" when it listens
 *
 * RULES, a line each: KEY VERSION MATCH_AT MATCH_VALUE COPIES FRAME_FILE REQUEST_FILE
 *   MATCH_AT     where in the request's frame MATCH_VALUE must stand (4 bytes), or -1: any
 *   COPIES       FROM:TO:LENGTH,… bytes of the request put into the answer, or -
 *   REQUEST_FILE what the request must be, but for its correlation id and what is copied, or -: anything
 * The first rule that matches counts. A request that none matches is reported and its connection closed; one that is not
 * what it must be ends the broker: something on the way has changed bytes.
 */
#include "frames.h"
#include <sys/epoll.h>

#define RULES_MAX 64
#define COPIES_MAX 4
#define EVENTS_MAX 256
/* Whole requests are compared this often; the head of each one always. */
#define COMPARE_EVERY 64u

typedef struct {
  uint32_t from, to, length;
} Copy;

typedef struct {
  int key, version, match_at;
  uint32_t match_value;
  int copies_count;
  Copy copies[COPIES_MAX];
  Template frame;
  Template request; /* no bytes: anything */
} Rule;

typedef struct {
  int fd;
  bool blocked;
  uint32_t taken;        /* requests that were answered */
  const Rule *comparing; /* the rest of the request that comes in is held against this one's */
  InFrame in;
  OutQueue out;
} Connection;

static Rule rules[RULES_MAX];
static int rules_count;
static uint8_t buffer[READ_BYTES];

static void read_copies(Rule *rule, char *text) {
  if (strcmp(text, "-") == 0) return;
  for (char *part = strtok(text, ","); part != NULL; part = strtok(NULL, ",")) {
    Copy copy;
    if (rule->copies_count == COPIES_MAX) fail("more than %d copies in a rule", COPIES_MAX);
    if (sscanf(part, "%u:%u:%u", &copy.from, &copy.to, &copy.length) != 3) fail("not FROM:TO:LENGTH: %s", part);
    if (copy.from + copy.length > HEAD_BYTES || copy.to + copy.length > HEAD_BYTES) fail("a copy beyond %u bytes", HEAD_BYTES);
    rule->copies[rule->copies_count++] = copy;
  }
}

static void read_rules(const char *path) {
  FILE *file = fopen(path, "r");
  if (file == NULL) fail("%s cannot be read: %s", path, strerror(errno));
  char copies[256], frame[1024], request[1024];
  Rule rule = {0};
  while (fscanf(file, "%d %d %d %u %255s %1023s %1023s", &rule.key, &rule.version, &rule.match_at, &rule.match_value, copies, frame,
                request) == 7) {
    if (rules_count == RULES_MAX) fail("more than %d rules", RULES_MAX);
    rule.copies_count = 0;
    read_copies(&rule, copies);
    rule.frame = read_template(frame);
    rule.request = strcmp(request, "-") == 0 ? (Template){0} : read_template(request);
    rules[rules_count++] = rule;
  }
  fclose(file);
  if (rules_count == 0) fail("%s has no rules", path);
}

static const Rule *rule_for(const uint8_t *request) {
  int key = get16(request + 4), version = get16(request + 6);
  for (int i = 0; i < rules_count; i++) {
    const Rule *rule = &rules[i];
    if (rule->key != key || rule->version != version) continue;
    if (rule->match_at < 0 || get32(request + rule->match_at) == rule->match_value) return rule;
  }
  fprintf(stderr, "fake broker: no answer to API %d v%d\n", key, version);
  return NULL;
}

static void changed(const Connection *connection, const char *what, uint32_t at) {
  fail("fake broker: request %u of a connection, of %u bytes, came with other bytes in its %s, from %u on", connection->taken,
       connection->in.length, what, at);
}

static void compare_head(Connection *connection, const Rule *rule) {
  InFrame *in = &connection->in;
  if (rule->request.bytes == NULL) return;
  uint8_t expected[HEAD_BYTES];
  uint32_t length = rule->request.length < HEAD_BYTES ? rule->request.length : HEAD_BYTES;
  if (in->length != rule->request.length) changed(connection, "length", 0);
  memcpy(expected, rule->request.bytes, length);
  memcpy(expected + REQUEST_CORRELATION_AT, in->head + REQUEST_CORRELATION_AT, 4);
  for (int i = 0; i < rule->copies_count; i++) {
    const Copy *copy = &rule->copies[i];
    memcpy(expected + copy->from, in->head + copy->from, copy->length);
  }
  for (uint32_t i = 0; i < length; i++) {
    if (expected[i] != in->head[i]) changed(connection, "head", i);
  }
}

static void compare_rest(Connection *connection, uint32_t at, const uint8_t *bytes, size_t count) {
  if (connection->taken % COMPARE_EVERY != 0) return;
  if (at < HEAD_BYTES) {
    if (connection->in.have < HEAD_BYTES) return;
    connection->comparing = rule_for(connection->in.head);
  }
  const Rule *rule = connection->comparing;
  if (rule == NULL || rule->request.bytes == NULL || connection->in.length != rule->request.length) return;
  size_t skip = at < HEAD_BYTES ? HEAD_BYTES - at : 0;
  if (memcmp(bytes + skip, rule->request.bytes + at + skip, count - skip) != 0) changed(connection, "records", at);
}

static bool answer(Connection *connection) {
  const uint8_t *request = connection->in.head;
  const Rule *rule = rule_for(request);
  if (rule == NULL) return false;
  compare_head(connection, rule);
  connection->taken++;
  connection->comparing = NULL;
  OutFrame *frame = out_push(&connection->out, &rule->frame);
  memcpy(frame->head + RESPONSE_CORRELATION_AT, request + REQUEST_CORRELATION_AT, 4);
  for (int i = 0; i < rule->copies_count; i++) {
    const Copy *copy = &rule->copies[i];
    memcpy(frame->head + copy->to, request + copy->from, copy->length);
  }
  return true;
}

static void drop(Connection *connection) {
  close(connection->fd);
  free(connection->out.ring);
  free(connection);
}

/* Takes what is there. False where the other end has closed or makes no sense. */
static bool take(Connection *connection, bool *more) {
  ssize_t count = recv(connection->fd, buffer, sizeof buffer, 0);
  *more = count == (ssize_t)sizeof buffer;
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  for (size_t used = 0; used < (size_t)count;) {
    uint32_t at = connection->in.have;
    size_t taken = in_take(&connection->in, buffer + used, (size_t)count - used);
    compare_rest(connection, at, buffer + used, taken);
    used += taken;
    if (!in_whole(&connection->in)) continue;
    if (!answer(connection)) return false;
    in_next(&connection->in);
  }
  return count > 0;
}

/* False where the connection has ended. A client that does not read is not read from either. */
static bool serve(Connection *connection, int poll) {
  bool was_blocked = connection->blocked, more = true;
  connection->blocked = out_flush(&connection->out, connection->fd) == OUT_BLOCKED;
  while (more && !connection->blocked) {
    if (!take(connection, &more)) return false;
    OutResult result = out_flush(&connection->out, connection->fd);
    if (result == OUT_BROKEN) return false;
    connection->blocked = result == OUT_BLOCKED;
  }
  if (connection->blocked != was_blocked) {
    struct epoll_event event = {.events = connection->blocked ? EPOLLOUT : EPOLLIN, .data.ptr = connection};
    epoll_ctl(poll, EPOLL_CTL_MOD, connection->fd, &event);
  }
  return true;
}

static void take_all(int listener, int poll) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    tune(fd);
    Connection *connection = allocated(1, sizeof *connection);
    connection->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
  }
}

int main(int count, char **arguments) {
  if (count != 3) fail("usage: broker PORT RULES");
  raise_descriptor_limit();
  read_rules(arguments[2]);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = local_address((uint16_t)atoi(arguments[1]));
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0) {
    fail("port %s cannot be bound: %s", arguments[1], strerror(errno));
  }
  int poll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
  puts("ready");
  fflush(stdout);
  struct epoll_event events[EVENTS_MAX];
  for (;;) {
    int ready = epoll_wait(poll, events, EVENTS_MAX, -1);
    for (int i = 0; i < ready; i++) {
      Connection *connection = events[i].data.ptr;
      if (connection == NULL) take_all(listener, poll);
      else if (!serve(connection, poll)) drop(connection);
    }
  }
}
