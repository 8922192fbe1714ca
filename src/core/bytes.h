/*-------------------------------------------------------------------------
 * bytes.h
 *		Big-endian integers in byte strings.
 *
 * at_put_X() writes and returns the end, at_get_X() reads; neither needs
 * an aligned address. Compilers make one bswap of each.
 *-------------------------------------------------------------------------
 */
#ifndef AT_BYTES_H
#define AT_BYTES_H

#include <stdint.h>

static inline uint8_t *
at_put_u32(uint8_t *out, uint32_t value)
{
	out[0] = (uint8_t) (value >> 24);
	out[1] = (uint8_t) (value >> 16);
	out[2] = (uint8_t) (value >> 8);
	out[3] = (uint8_t) value;
	return out + 4;
}

static inline uint8_t *
at_put_u64(uint8_t *out, uint64_t value)
{
	out = at_put_u32(out, (uint32_t) (value >> 32));
	return at_put_u32(out, (uint32_t) value);
}

static inline uint32_t
at_get_u32(const uint8_t *in)
{
	return (uint32_t) in[0] << 24 | (uint32_t) in[1] << 16 | (uint32_t) in[2] << 8 | in[3];
}

static inline uint64_t
at_get_u64(const uint8_t *in)
{
	return (uint64_t) at_get_u32(in) << 32 | at_get_u32(in + 4);
}

#endif
