/*-------------------------------------------------------------------------
 * check.c
 *		The smallest harness that speaks TAP.
 *-------------------------------------------------------------------------
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

static struct
{
	int run;
	int failed;
	int calls_left; /* calls of libcrypto until one fails; -1: none does */
	bool corrupt;
} state = {.calls_left = -1};

static bool libcrypto_fails(void);

extern int __real_SHA256_Init(SHA256_CTX *ctx);
extern int __real_SHA256_Update(SHA256_CTX *ctx, const void *data, size_t len);
extern int __real_SHA256_Final(unsigned char *out, SHA256_CTX *ctx);
extern int __wrap_SHA256_Init(SHA256_CTX *ctx);
extern int __wrap_SHA256_Update(SHA256_CTX *ctx, const void *data, size_t len);
extern int __wrap_SHA256_Final(unsigned char *out, SHA256_CTX *ctx);

extern int __real_RAND_priv_bytes(unsigned char *out, int len);
extern int __real_RAND_bytes(unsigned char *out, int len);
extern EVP_CIPHER_CTX *__real_EVP_CIPHER_CTX_new(void);
extern EVP_MD_CTX *__real_EVP_MD_CTX_new(void);
extern EVP_PKEY *__real_EVP_PKEY_new_raw_private_key(int type, ENGINE *engine,
													 const unsigned char *key, size_t len);
extern EVP_PKEY *__real_EVP_PKEY_new_raw_public_key(int type, ENGINE *engine,
													const unsigned char *key, size_t len);
extern int __real_EVP_PKEY_get_raw_public_key(const EVP_PKEY *key, unsigned char *out, size_t *len);
extern int __real_EVP_DigestSignInit(EVP_MD_CTX *ctx, EVP_PKEY_CTX **pctx, const EVP_MD *type,
									 ENGINE *engine, EVP_PKEY *key);
extern int __real_EVP_DigestSign(EVP_MD_CTX *ctx, unsigned char *out, size_t *len,
								 const unsigned char *data, size_t data_len);
extern int __real_EVP_DigestVerifyInit(EVP_MD_CTX *ctx, EVP_PKEY_CTX **pctx, const EVP_MD *type,
									   ENGINE *engine, EVP_PKEY *key);
extern int __wrap_RAND_priv_bytes(unsigned char *out, int len);
extern int __wrap_RAND_bytes(unsigned char *out, int len);
extern EVP_CIPHER_CTX *__wrap_EVP_CIPHER_CTX_new(void);
extern EVP_MD_CTX *__wrap_EVP_MD_CTX_new(void);
extern EVP_PKEY *__wrap_EVP_PKEY_new_raw_private_key(int type, ENGINE *engine,
													 const unsigned char *key, size_t len);
extern EVP_PKEY *__wrap_EVP_PKEY_new_raw_public_key(int type, ENGINE *engine,
													const unsigned char *key, size_t len);
extern int __wrap_EVP_PKEY_get_raw_public_key(const EVP_PKEY *key, unsigned char *out, size_t *len);
extern int __wrap_EVP_DigestSignInit(EVP_MD_CTX *ctx, EVP_PKEY_CTX **pctx, const EVP_MD *type,
									 ENGINE *engine, EVP_PKEY *key);
extern int __wrap_EVP_DigestSign(EVP_MD_CTX *ctx, unsigned char *out, size_t *len,
								 const unsigned char *data, size_t data_len);
extern int __wrap_EVP_DigestVerifyInit(EVP_MD_CTX *ctx, EVP_PKEY_CTX **pctx, const EVP_MD *type,
									   ENGINE *engine, EVP_PKEY *key);

void
check_at(bool condition, const char *name, const char *file, int line)
{
	state.run++;
	printf("%sok %d - %s\n", condition ? "" : "not ", state.run, name);
	if (condition)
		return;

	state.failed++;
	printf("# at %s:%d\n", file, line);
}

void
check_hex_at(const void *data, size_t len, const char *hex, const char *name, const char *file,
			 int line)
{
	char *got = malloc(2 * len + 1);

	if (got == NULL)
		abort();
	got[0] = '\0';
	for (size_t i = 0; i < len; i++)
		sprintf(got + 2 * i, "%02x", ((const uint8_t *) data)[i]);

	check_at(strcmp(got, hex) == 0, name, file, line);
	if (strcmp(got, hex) != 0)
		printf("# got:    %s\n# wanted: %s\n", got, hex);
	free(got);
}

void
check_failures_at(bool (*function)(void), int calls, const char *name, const char *file, int line)
{
	int failures = 0;

	for (; failures <= calls; failures++)
	{
		fail_libcrypto(failures);
		if (function())
			break;
	}
	fail_libcrypto(-1);

	check_at(failures == calls, name, file, line);
	if (failures != calls)
		printf("# failed at %d of %d calls\n", failures, calls);
}

int
check_done(void)
{
	printf("1..%d\n", state.run);
	return state.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

size_t
from_hex(const char *hex, uint8_t *out, size_t max)
{
	size_t len = strlen(hex) / 2;

	if (len > max)
		abort();
	for (size_t i = 0; i < len; i++)
	{
		char digits[] = {hex[2 * i], hex[2 * i + 1], '\0'};

		out[i] = (uint8_t) strtoul(digits, NULL, 16);
	}
	return len;
}

void
fail_libcrypto(int n)
{
	state.calls_left = n;
}

void
corrupt_libcrypto(bool corrupt)
{
	state.corrupt = corrupt;
}

int
__wrap_SHA256_Init(SHA256_CTX *ctx)
{
	return libcrypto_fails() ? 0 : __real_SHA256_Init(ctx);
}

int
__wrap_SHA256_Update(SHA256_CTX *ctx, const void *data, size_t len)
{
	return libcrypto_fails() ? 0 : __real_SHA256_Update(ctx, data, len);
}

int
__wrap_SHA256_Final(unsigned char *out, SHA256_CTX *ctx)
{
	if (libcrypto_fails())
		return 0;

	int result = __real_SHA256_Final(out, ctx);

	if (state.corrupt)
		out[31] ^= 1;
	return result;
}

int
__wrap_RAND_priv_bytes(unsigned char *out, int len)
{
	return libcrypto_fails() ? 0 : __real_RAND_priv_bytes(out, len);
}

int
__wrap_RAND_bytes(unsigned char *out, int len)
{
	return libcrypto_fails() ? 0 : __real_RAND_bytes(out, len);
}

EVP_CIPHER_CTX *
__wrap_EVP_CIPHER_CTX_new(void)
{
	return libcrypto_fails() ? NULL : __real_EVP_CIPHER_CTX_new();
}

EVP_MD_CTX *
__wrap_EVP_MD_CTX_new(void)
{
	return libcrypto_fails() ? NULL : __real_EVP_MD_CTX_new();
}

EVP_PKEY *
__wrap_EVP_PKEY_new_raw_private_key(int type, ENGINE *engine, const unsigned char *key, size_t len)
{
	return libcrypto_fails() ? NULL : __real_EVP_PKEY_new_raw_private_key(type, engine, key, len);
}

EVP_PKEY *
__wrap_EVP_PKEY_new_raw_public_key(int type, ENGINE *engine, const unsigned char *key, size_t len)
{
	return libcrypto_fails() ? NULL : __real_EVP_PKEY_new_raw_public_key(type, engine, key, len);
}

int
__wrap_EVP_PKEY_get_raw_public_key(const EVP_PKEY *key, unsigned char *out, size_t *len)
{
	return libcrypto_fails() ? 0 : __real_EVP_PKEY_get_raw_public_key(key, out, len);
}

int
__wrap_EVP_DigestSignInit(EVP_MD_CTX *ctx, EVP_PKEY_CTX **pctx, const EVP_MD *type, ENGINE *engine,
						  EVP_PKEY *key)
{
	return libcrypto_fails() ? 0 : __real_EVP_DigestSignInit(ctx, pctx, type, engine, key);
}

int
__wrap_EVP_DigestSign(EVP_MD_CTX *ctx, unsigned char *out, size_t *len, const unsigned char *data,
					  size_t data_len)
{
	return libcrypto_fails() ? 0 : __real_EVP_DigestSign(ctx, out, len, data, data_len);
}

int
__wrap_EVP_DigestVerifyInit(EVP_MD_CTX *ctx, EVP_PKEY_CTX **pctx, const EVP_MD *type,
							ENGINE *engine, EVP_PKEY *key)
{
	return libcrypto_fails() ? 0 : __real_EVP_DigestVerifyInit(ctx, pctx, type, engine, key);
}

/* Count a call, and say whether it is the one to fail. */
static bool
libcrypto_fails(void)
{
	if (state.calls_left < 0)
		return false;
	return state.calls_left-- == 0;
}
