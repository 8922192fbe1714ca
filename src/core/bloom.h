/*-------------------------------------------------------------------------
 * bloom.h
 *		A Bloom filter: which texts a segment of cold rows may have.
 *
 * A text is asked for together with a number that says what it is (the
 * column). The filter has 16 bits for each text that was put in, of which
 * each sets 8, so about one question in 2000 about something else is answered
 * by "perhaps". Its bits follow from the texts alone: doc/format.md.
 *
 * Functions allocate nothing and do not fail.
 *-------------------------------------------------------------------------
 */
#ifndef AT_BLOOM_H
#define AT_BLOOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/body.h"

/* The hash of a text; what at_bloom_put() and at_bloom_has() take. */
extern uint64_t at_bloom_hash(uint8_t what, AtSpan text);

/* How many bytes a filter of so many texts has, at least 8. */
extern size_t at_bloom_size(uint32_t texts);

/* Put a text into a filter, which was all zeros in the beginning. */
extern void at_bloom_put(uint8_t *filter, size_t size, uint64_t hash);

/* False if the text was not put in. A filter of no bytes has everything. */
extern bool at_bloom_has(const uint8_t *filter, size_t size, uint64_t hash);

#endif
