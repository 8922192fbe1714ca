/*-------------------------------------------------------------------------
 * ed25519.h
 *		Ed25519 (RFC 8032, section 5.1) with keys as bare bytes.
 *
 * Seed is RFC 8032's private key. A signature of which a second form could
 * be made without the key (S not below the group's order) does not verify.
 *-------------------------------------------------------------------------
 */
#ifndef AT_ED25519_H
#define AT_ED25519_H

#include <stdint.h>

#include "core/text.h"

#define AT_ED25519_SEED_LEN      32
#define AT_ED25519_PUBLIC_LEN    32
#define AT_ED25519_SIGNATURE_LEN 64

/* A new seed from libcrypto's generator for private values. */
extern AtError at_ed25519_generate(uint8_t seed[AT_ED25519_SEED_LEN]);

/* The public key of a seed. */
extern AtError at_ed25519_public(const uint8_t seed[AT_ED25519_SEED_LEN],
								 uint8_t public_key[AT_ED25519_PUBLIC_LEN]);

/*
 * Can these bytes be somebody's public key? AT_ERR_KEY_POINT if they are no
 * point of the curve in its one form, or one of the eight of small order,
 * under which anybody can sign. libcrypto does not ask that when it verifies.
 */
extern AtError at_ed25519_check_public(const uint8_t public_key[AT_ED25519_PUBLIC_LEN]);

extern AtError at_ed25519_sign(const uint8_t seed[AT_ED25519_SEED_LEN], AtText message,
							   uint8_t signature[AT_ED25519_SIGNATURE_LEN]);

/* AT_OK, AT_ERR_SIGNATURE, or AT_ERR_LIBCRYPTO, which says nothing of the signature. */
extern AtError at_ed25519_verify(const uint8_t public_key[AT_ED25519_PUBLIC_LEN], AtText message,
								 const uint8_t signature[AT_ED25519_SIGNATURE_LEN]);

#endif
