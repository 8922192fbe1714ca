/*-------------------------------------------------------------------------
 * signature.c
 *		Signatures of webhooks.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "core/base64.h"
#include "file.h"
#include "signature.h"

#define FILE_MAX    4096
#define HMAC_LEN    32
#define BASE64_HMAC AT_BASE64_LEN(HMAC_LEN)

static bool take_secret(AtSecrets *secrets, AtText line, const char **reason);
static bool hmac(unsigned char out[HMAC_LEN], const AtSecret *secret, const char *const parts[],
				 int nparts);

bool
at_secrets_read(AtSecrets *secrets, const char *path, const char **reason)
{
	char buffer[FILE_MAX + 1];
	struct stat status;
	char *save = NULL;

	*secrets = (AtSecrets){0};
	*reason = NULL;
	if (stat(path, &status) != 0 || !at_file_read(path, buffer, sizeof(buffer) - 1))
		*reason = "it cannot be read";
	else if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		*reason = "others may read it: chmod 600";
	for (char *line = *reason != NULL ? NULL : strtok_r(buffer, "\r\n", &save);
		 line != NULL && *reason == NULL; line = strtok_r(NULL, "\r\n", &save))
		if (!take_secret(secrets, at_text(line), reason))
			break;
	if (*reason == NULL && secrets->count == 0)
		*reason = "there is no secret in it";
	OPENSSL_cleanse(buffer, sizeof(buffer));
	return *reason == NULL;
}

static bool
take_secret(AtSecrets *secrets, AtText line, const char **reason)
{
	AtSecret *secret = &secrets->secret[secrets->count];
	bool is_base64 = at_text_skip(&line, "whsec_");

	secret->len = line.len;
	if (secrets->count == AT_SECRETS_MAX)
		*reason = "there are more than four secrets in it";
	else if (is_base64 && !at_base64_check(line, &secret->len))
		*reason = "what stands behind whsec_ is no base64";
	else if (secret->len < AT_SECRET_MIN || secret->len > AT_SECRET_MAX)
		*reason = "a secret has 16 to 128 bytes";
	if (*reason != NULL)
		return false;
	if (is_base64 && !at_base64_decode(line, secret->bytes, secret->len))
		*reason = "what stands behind whsec_ is no base64";
	else if (!is_base64)
		memcpy(secret->bytes, line.data, line.len);
	secrets->count++;
	return *reason == NULL;
}

bool
at_sign(char signatures[AT_SIGNATURES_MAX], const AtSecrets *secrets, const char *id,
		int64_t seconds, const char *body)
{
	char time[AT_DECIMAL_MAX + 2];
	const char *const parts[] = {id, ".", time, ".", body};
	AtWriter writer = at_writer(signatures, AT_SIGNATURES_MAX - 1);

	(void) snprintf(time, sizeof(time), "%lld", (long long) seconds);
	for (int i = 0; i < secrets->count; i++)
	{
		unsigned char code[HMAC_LEN];

		if (!hmac(code, &secrets->secret[i], parts, 5))
			return false;
		at_write_string(&writer, i == 0 ? "v1," : " v1,");
		at_write_base64(&writer, code, HMAC_LEN);
	}
	if (at_writer_error(&writer) != AT_OK)
		return false;
	signatures[writer.len] = '\0';
	return true;
}

static bool
hmac(unsigned char out[HMAC_LEN], const AtSecret *secret, const char *const parts[], int nparts)
{
	EVP_PKEY *key = EVP_PKEY_new_mac_key(EVP_PKEY_HMAC, NULL, secret->bytes, (int) secret->len);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t len = HMAC_LEN;
	bool done = key != NULL && context != NULL &&
				EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1;

	for (int i = 0; done && i < nparts; i++)
		done = EVP_DigestSignUpdate(context, parts[i], strlen(parts[i])) == 1;
	done = done && EVP_DigestSignFinal(context, out, &len) == 1 && len == HMAC_LEN;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	return done;
}
