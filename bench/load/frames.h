/* Frames in and out of one connection: the heads are looked at and patched, the rest is neither kept nor copied. */
#ifndef SLUICE_BENCH_FRAMES_H
#define SLUICE_BENCH_FRAMES_H

#include "wire.h"
#include <sys/uio.h>

#define IOVECS_MAX 128

/* One frame on its way out. */
typedef struct {
  uint8_t head[HEAD_BYTES];
  uint32_t head_length;
  uint32_t tail_length;
  const uint8_t *tail;
} OutFrame;

typedef struct {
  OutFrame *ring;
  uint32_t capacity; /* a power of two */
  uint32_t first;
  uint32_t count;
  uint32_t sent; /* bytes of the first frame that are out already */
} OutQueue;

typedef enum { OUT_DONE, OUT_BLOCKED, OUT_BROKEN } OutResult;

/* Room for one more frame, begun as a copy of the template's front; the caller patches its head. */
static inline OutFrame *out_push(OutQueue *queue, const Template *template) {
  if (queue->count == queue->capacity) {
    uint32_t capacity = queue->capacity == 0 ? 8 : queue->capacity * 2;
    OutFrame *ring = allocated(capacity, sizeof *ring);
    for (uint32_t i = 0; i < queue->count; i++) ring[i] = queue->ring[(queue->first + i) & (queue->capacity - 1)];
    free(queue->ring);
    queue->ring = ring;
    queue->capacity = capacity;
    queue->first = 0;
  }
  OutFrame *frame = &queue->ring[(queue->first + queue->count++) & (queue->capacity - 1)];
  frame->head_length = template->length < HEAD_BYTES ? template->length : HEAD_BYTES;
  frame->tail = template->bytes + frame->head_length;
  frame->tail_length = template->length - frame->head_length;
  memcpy(frame->head, template->bytes, frame->head_length);
  return frame;
}

static inline int out_gather(const OutQueue *queue, struct iovec *parts) {
  int used = 0;
  uint32_t skip = queue->sent;
  for (uint32_t i = 0; i < queue->count && used + 2 <= IOVECS_MAX; i++) {
    OutFrame *frame = &queue->ring[(queue->first + i) & (queue->capacity - 1)];
    uint32_t in_head = skip < frame->head_length ? skip : frame->head_length;
    uint32_t in_tail = skip - in_head;
    if (in_head < frame->head_length) {
      parts[used++] = (struct iovec){frame->head + in_head, frame->head_length - in_head};
    }
    if (in_tail < frame->tail_length) {
      parts[used++] = (struct iovec){(void *)(frame->tail + in_tail), frame->tail_length - in_tail};
    }
    skip = 0;
  }
  return used;
}

static inline void out_taken(OutQueue *queue, size_t bytes) {
  size_t left = bytes + queue->sent;
  while (queue->count > 0) {
    OutFrame *frame = &queue->ring[queue->first];
    size_t length = (size_t)frame->head_length + frame->tail_length;
    if (left < length) break;
    left -= length;
    queue->first = (queue->first + 1) & (queue->capacity - 1);
    queue->count--;
  }
  queue->sent = (uint32_t)left;
}

/* Writes as much as the socket takes, many frames at a time. */
static inline OutResult out_flush(OutQueue *queue, int socket_fd) {
  struct iovec parts[IOVECS_MAX];
  while (queue->count > 0) {
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)out_gather(queue, parts)};
    ssize_t count = sendmsg(socket_fd, &message, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno == EAGAIN ? OUT_BLOCKED : OUT_BROKEN;
    out_taken(queue, (size_t)count);
  }
  return OUT_DONE;
}

/* The frame that is coming in. */
typedef struct {
  uint8_t head[HEAD_BYTES];
  uint32_t have;   /* bytes of it that are in */
  uint32_t length; /* with the size's own four bytes; 0 while these are not all in */
} InFrame;

/*
 * Takes bytes up to the end of the frame at the most.
 * Returns how many; `in->have == in->length` (and not 0) where the frame is whole: then call `in_next`.
 */
static inline size_t in_take(InFrame *in, const uint8_t *bytes, size_t count) {
  size_t used = 0;
  while (in->length == 0) {
    if (used == count) return used;
    in->head[in->have++] = bytes[used++];
    if (in->have < 4) continue;
    uint32_t size = get32(in->head);
    if (size > FRAME_BYTES_MAX) fail("a frame of %u bytes: not Kafka's protocol", size);
    in->length = size + 4;
  }
  size_t take = in->length - in->have;
  if (take > count - used) take = count - used;
  if (in->have < HEAD_BYTES) {
    size_t keep = HEAD_BYTES - in->have < take ? HEAD_BYTES - in->have : take;
    memcpy(in->head + in->have, bytes + used, keep);
  }
  in->have += (uint32_t)take;
  return used + take;
}

static inline bool in_whole(const InFrame *in) { return in->length != 0 && in->have == in->length; }

static inline void in_next(InFrame *in) {
  in->have = 0;
  in->length = 0;
}

#endif
