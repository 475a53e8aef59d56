/* Latencies in nanoseconds, in buckets at most 1.6 % wide: 64 to each power of two. */
#ifndef SLUICE_BENCH_HISTOGRAM_H
#define SLUICE_BENCH_HISTOGRAM_H

#include <stdint.h>

#define BUCKETS_PER_OCTAVE_BITS 6
#define BUCKETS_PER_OCTAVE (1u << BUCKETS_PER_OCTAVE_BITS)
#define BUCKETS ((64u - BUCKETS_PER_OCTAVE_BITS + 1u) * BUCKETS_PER_OCTAVE)

typedef struct {
  uint64_t buckets[BUCKETS];
  uint64_t count;
  uint64_t largest;
} Histogram;

static inline void histogram_add(Histogram *histogram, uint64_t value) {
  uint32_t index = (uint32_t)value;
  if (value >= BUCKETS_PER_OCTAVE) {
    uint32_t shift = 63u - (uint32_t)__builtin_clzll(value) - BUCKETS_PER_OCTAVE_BITS;
    index = (shift + 1u) * BUCKETS_PER_OCTAVE + (uint32_t)((value >> shift) - BUCKETS_PER_OCTAVE);
  }
  histogram->buckets[index]++;
  histogram->count++;
  if (value > histogram->largest) histogram->largest = value;
}

/* The middle of the bucket in which the quantile lies. */
static inline double histogram_at(const Histogram *histogram, double quantile) {
  uint64_t rank = (uint64_t)(quantile * (double)histogram->count), seen = 0;
  for (uint32_t index = 0; index < BUCKETS; index++) {
    seen += histogram->buckets[index];
    if (seen <= rank) continue;
    if (index < BUCKETS_PER_OCTAVE) return index;
    uint32_t shift = index / BUCKETS_PER_OCTAVE - 1u;
    double low = (double)((uint64_t)(BUCKETS_PER_OCTAVE + index % BUCKETS_PER_OCTAVE) << shift);
    return low + (double)(1ull << shift) / 2.0;
  }
  return (double)histogram->largest;
}

#endif
