/*-------------------------------------------------------------------------
 * key.c
 *		Keys in files, and on the command line.
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "file.h"
#include "key.h"
#include "message.h"

#define KEYS_BYTES_MAX (64 * 1024)

static void check_secret(const char *path);
static bool read_lines(AtText text, void (*take)(const AtPublicKey *key, void *arg), void *arg);

void
at_make_key(const char *path, const char *name)
{
	AtPrivateKey key;
	char text[AT_PRIVATE_KEY_TEXT_MAX + 1];
	char public_text[AT_PUBLIC_KEY_TEXT_MAX];
	AtWriter writer = at_writer(text, sizeof(text));
	AtWriter public_writer = at_writer(public_text, sizeof(public_text));
	AtError error = at_key_generate(&key, AT_KEY_COSIGNATURE, at_text(name));
	int fd;

	if (error != AT_OK)
		at_die(AT_EXIT_USAGE, "cannot make a key \"%s\": %s", name, at_error_text(error));
	at_key_write_private(&writer, &key);
	at_write_string(&writer, "\n");
	at_key_write_public(&public_writer, &key.public_key);
	at_key_forget(&key);

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (fd < 0 || !at_write_all(fd, (AtText){writer.data, writer.len}) || fsync(fd) != 0 ||
		close(fd) != 0)
		at_die(AT_EXIT_FAILURE, "could not make \"%s\": %s", path, strerror(errno));
	OPENSSL_cleanse(text, sizeof(text));
	printf("%.*s\n", (int) public_writer.len, public_text);
}

void
at_read_key(const char *path, AtPrivateKey *key)
{
	char text[AT_PRIVATE_KEY_TEXT_MAX + 2];
	size_t len;
	AtError error;

	check_secret(path);
	if (!at_read_file(path, text, sizeof(text), &len))
		at_die(AT_EXIT_FAILURE, "could not read \"%s\": %s", path, strerror(errno));
	error = at_key_read_private(key, (AtText){text, len});
	OPENSSL_cleanse(text, sizeof(text));
	if (error == AT_OK && key->public_key.type != AT_KEY_COSIGNATURE)
		error = AT_ERR_KEY_PURPOSE;
	if (error != AT_OK)
		at_die(AT_EXIT_FAILURE, "\"%s\" is not the key of a witness: %s", path,
			   at_error_text(error));
}

static void
check_secret(const char *path)
{
	struct stat status;

	if (stat(path, &status) != 0)
		at_die(AT_EXIT_FAILURE, "could not examine \"%s\": %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() ||
		(status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		at_die(AT_EXIT_FAILURE, "\"%s\" must be your own, with mode 0600", path);
}

void
at_each_key(const char *argument, void (*take)(const AtPublicKey *key, void *arg), void *arg)
{
	static char text[KEYS_BYTES_MAX];
	size_t len = strlen(argument);

	if (strchr(argument, '+') != NULL && len < sizeof(text))
		memcpy(text, argument, len);
	else if (!at_read_file(argument, text, sizeof(text), &len))
		at_die(AT_EXIT_FAILURE, "could not read \"%s\": %s", argument, strerror(errno));
	if (!read_lines((AtText){text, len}, take, arg))
		at_die(AT_EXIT_USAGE, "there is no public key in \"%s\"", argument);
}

static bool
read_lines(AtText text, void (*take)(const AtPublicKey *key, void *arg), void *arg)
{
	AtPublicKey key;
	AtText line;
	bool any = false;

	while (text.len > 0)
	{
		AtError error;

		if (!at_text_line(&text, &line))
		{
			line = text;
			text.len = 0;
		}
		if (line.len == 0)
			continue;
		error = at_key_read_public(&key, line);
		if (error != AT_OK)
			at_die(AT_EXIT_USAGE, "\"%.*s\" is not a public key: %s", (int) line.len, line.data,
				   at_error_text(error));
		take(&key, arg);
		any = true;
	}
	return any;
}
