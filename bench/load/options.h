/* The load generator's command line, and how it connects. */
#ifndef SLUICE_BENCH_OPTIONS_H
#define SLUICE_BENCH_OPTIONS_H

#include "wire.h"
#include <getopt.h>

#define KEY_SASL_AUTHENTICATE 36

typedef struct {
  uint16_t port;
  Template request, response, opening, begin;
  uint32_t connections, in_flight;
  double rate, warm_up, seconds;
  uint32_t vary_count, vary_request_at, vary_response_at, count_at;
} Options;

static inline Options read_options(int count, char **arguments) {
  static const struct option known[] = {
      {"port", required_argument, NULL, 'p'},      {"request", required_argument, NULL, 'q'},
      {"response", required_argument, NULL, 's'},  {"opening", required_argument, NULL, 'o'},
      {"connections", required_argument, NULL, 'c'}, {"in-flight", required_argument, NULL, 'f'},
      {"rate", required_argument, NULL, 'r'},      {"warm-up", required_argument, NULL, 'w'},
      {"seconds", required_argument, NULL, 't'},   {"vary", required_argument, NULL, 'v'},
      {"begin", required_argument, NULL, 'b'},     {"count", required_argument, NULL, 'n'},
      {NULL, 0, NULL, 0},
  };
  Options options = {.connections = 1, .in_flight = 1, .warm_up = 0.5, .seconds = 2, .vary_count = 1};
  for (int option; (option = getopt_long(count, arguments, "", known, NULL)) != -1;) {
    switch (option) {
      case 'p': options.port = (uint16_t)atoi(optarg); break;
      case 'q': options.request = read_template(optarg); break;
      case 's': options.response = read_template(optarg); break;
      case 'o': options.opening = read_template(optarg); break;
      case 'c': options.connections = (uint32_t)atoi(optarg); break;
      case 'f': options.in_flight = (uint32_t)atoi(optarg); break;
      case 'r': options.rate = atof(optarg); break;
      case 'w': options.warm_up = atof(optarg); break;
      case 't': options.seconds = atof(optarg); break;
      case 'b': options.begin = read_template(optarg); break;
      case 'n': options.count_at = (uint32_t)atoi(optarg); break;
      case 'v':
        if (sscanf(optarg, "%u:%u:%u", &options.vary_count, &options.vary_request_at, &options.vary_response_at) == 3) break;
        fail("--vary wants COUNT:REQUEST_AT:RESPONSE_AT");
      default: fail("see the head of client.c for the options");
    }
  }
  if (options.count_at + 4 > HEAD_BYTES) fail("--count beyond %u bytes", HEAD_BYTES);
  if (options.port == 0 || options.request.length == 0 || options.response.length == 0 || options.connections == 0) {
    fail("--port, --request and --response are needed");
  }
  return options;
}

static inline void exact(int fd, uint8_t *bytes, size_t count, const char *what) {
  for (size_t have = 0; have < count;) {
    ssize_t got = recv(fd, bytes + have, count - have, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fail("load: the connection was closed instead of an answer to %s", what);
    have += (size_t)got;
  }
}

/* An answer to a frame of the opening. */
#define ANSWER_BYTES_MAX (1024u * 1024u)

/* Sends one frame of the opening and waits for its answer, whose error code must be 0. */
static inline void open_with(int fd, const uint8_t *frame, uint32_t length) {
  if (send(fd, frame, length, MSG_NOSIGNAL) != (ssize_t)length) fail("load: the opening could not be sent: %s", strerror(errno));
  static uint8_t answer[ANSWER_BYTES_MAX];
  exact(fd, answer, 4, "the opening");
  uint32_t size = get32(answer);
  if (size < 7 || size > sizeof answer) fail("load: an answer of %u bytes to the opening", size);
  exact(fd, answer, size, "the opening");
  /* Behind the correlation id, and behind the empty tagged fields where the header has them. Of a fetch it is the time. */
  int key = get16(frame + 4), at = key == KEY_SASL_AUTHENTICATE && get16(frame + 6) >= 2 ? 5 : 4;
  if (get16(answer + at) != 0) fail("load: API %d of the opening was answered with error %d", key, get16(answer + at));
}

/* A connection that has gone through the opening. */
static inline int connected(const Options *options) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = local_address(options->port);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    fail("load: port %u cannot be reached: %s", options->port, strerror(errno));
  }
  for (uint32_t at = 0; at < options->opening.length;) {
    uint32_t length = get32(options->opening.bytes + at) + 4;
    open_with(fd, options->opening.bytes + at, length);
    at += length;
  }
  if (options->begin.length > 0) open_with(fd, options->begin.bytes, options->begin.length);
  tune(fd);
  return fd;
}

#endif
