/*-------------------------------------------------------------------------
 * test_parts.c
 *		What needs neither a database nor a receiver: the configuration,
 *		signatures, messages of syslog, files. In TAP; runs in an empty folder.
 *-------------------------------------------------------------------------
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "file.h"
#include "signature.h"
#include "syslog_message.h"

static int tests;
static int failures;

static void
ok(bool good, const char *name)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++tests, name);
	failures += good ? 0 : 1;
}

static void
write_file(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");

	if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0 || chmod(path, mode) != 0)
		exit(1);
}

static bool
reads(const char *text)
{
	static AtConfig config;

	write_file("conf", text, 0600);
	return at_config_read(&config, "conf");
}

static void
test_config(void)
{
	static AtConfig config;
	char line[5000];

	write_file("conf",
			   "# a comment\n\nconninfo = dbname=shop  user=relay \nstate=/s\n[sink a-1]\n"
			   "type = file\npath = /x y\nbegin = all\n[ sink",
			   0600);
	ok(!at_config_read(&config, "conf"), "half a head of a sink is refused");
	write_file("conf",
			   "# a comment\n\nconninfo = dbname=shop  user=relay \nstate=/s\n[sink a-1]\n"
			   "type = file\npath = /x y\nbegin = all\n[sink b]\ntype=syslog\naddress=tcp://h:1\n"
			   "facility=23",
			   0600);
	ok(at_config_read(&config, "conf"), "a configuration is read");
	ok(strcmp(config.conninfo, "dbname=shop  user=relay") == 0 && config.nsinks == 2 &&
		   strcmp(config.sink[0].path, "/x y") == 0 && config.sink[0].from_begin &&
		   !config.sink[1].from_begin && config.sink[1].facility == 23 &&
		   strcmp(config.sink[1].channel, "audit_alert") == 0,
	   "with its values and defaults");
	ok(!reads("state=/s\n"), "without a sink it is refused");
	ok(!reads("[sink a]\ntype=file\npath=/x\n"), "without a state too");
	ok(!reads("state=/s\n[sink a]\ntype=file\npath=/x\n[sink a]\ntype=file\npath=/y\n"),
	   "two sinks of one name");
	ok(!reads("state=/s\n[sink a/b]\ntype=file\npath=/x\n"), "a name that would be a path");
	ok(!reads("state=/s\nsinks=1\n[sink a]\ntype=file\npath=/x\n"), "a name that is not known");
	ok(!reads("state=/s\n[sink a]\ntype=file\npath=/x\nretry_frist=1\n"), "nor in a sink");
	ok(!reads("state=/s\n[sink a]\ntype=file\npath=/x\ntimeout=0\n"), "a number out of its range");
	ok(!reads("state=/s\n[sink a]\ntype=file\npath=/x\ntimeout=1x\n"), "or none");
	ok(!reads("state=/s\n[sink a]\ntype=file\npath=x\n"), "a relative path");
	ok(!reads(
		   "state=/s\n[sink a]\ntype=webhook\nsecret_file=/k\nurl=http://127.0.0.1.example.org/\n"),
	   "a webhook elsewhere without TLS");
	ok(!reads("state=/s\n[sink a]\ntype=webhook\nsecret_file=/k\n"
			  "url=http://localhost:80@example.org/\n"),
	   "one that only seems to be on this machine");
	ok(reads("state=/s\n[sink a]\ntype=syslog\naddress=unix:/dev/log\n"), "a socket for syslog");
	ok(!reads("state=/s\n[sink a]\ntype=syslog\naddress=udp://h:514\n"),
	   "syslog by UDP, which loses without a word");
	ok(!reads("state=/s\n[sink a]\ntype=syslog\naddress=tls://h\n"), "an address without a port");
	ok(!reads("state=/s\n[sink a]\ntype=webhook\nurl=https://example.org/\n"),
	   "one without a secret");
	ok(reads("state=/s\n[sink a]\ntype=webhook\nsecret_file=/k\nurl=http://127.0.0.1:80/\n"),
	   "one on this machine is read");
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	memcpy(line, "state=/", 7);
	ok(!reads(line), "a line of any length");
}

/* The example of the Standard Webhooks specification's libraries. */
static void
test_signature(void)
{
	AtSecrets secrets;
	char signatures[AT_SIGNATURES_MAX];
	const char *reason;

	write_file("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", 0600);
	ok(at_secrets_read(&secrets, "secret", &reason), "a secret is read");
	ok(at_sign(signatures, &secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
			   "{\"test\": 2432232314}") &&
		   strcmp(signatures, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=") == 0,
	   "it signs as others do");
	write_file("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nanother secret of ours\n", 0600);
	ok(at_secrets_read(&secrets, "secret", &reason) && at_sign(signatures, &secrets, "1", 1, "") &&
		   strstr(signatures, " v1,") != NULL,
	   "two secrets sign both");
	write_file("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", 0644);
	ok(!at_secrets_read(&secrets, "secret", &reason), "a file that others may read is refused");
	write_file("secret", "short\n", 0600);
	ok(!at_secrets_read(&secrets, "secret", &reason), "a short secret too");
	write_file("secret", "whsec_*\n", 0600);
	ok(!at_secrets_read(&secrets, "secret", &reason), "and what is no base64");
	write_file("secret", "\n", 0600);
	ok(!at_secrets_read(&secrets, "secret", &reason), "or nothing");
	ok(!at_secrets_read(&secrets, "is not there", &reason), "or not there");
}

static void
test_syslog(void)
{
	static AtSinkConfig config = {
		.app_name = "audit trail", .sd_id = "audit@32473", .facility = 13};
	AtAlert alert = {.delivery_id = 7,
					 .alert_id = 5,
					 .attempt = 1,
					 .raised_at = "2026-01-02T03:04:05.000006Z",
					 .severity = "high",
					 .rule = "a \"quoted\" ] \\ rule\n<1>1 forged",
					 .sentence = "price\n\x1b[31m changed \xc3\xa4 \xff",
					 .table = "public.orders",
					 .resource_id = "42",
					 .event_id = "9.1"};
	char out[AT_SYSLOG_MAX + 1];
	char *large = malloc(20001);
	size_t len = at_syslog_write(out, &config, "host name", &alert);

	out[len] = '\0';
	ok(strncmp(out, "<107>1 2026-01-02T03:04:05.000006Z host_name audit_trail ", 57) == 0,
	   "a message has its head");
	ok(strstr(out,
			  " alert [audit@32473 alert_id=\"5\" delivery_id=\"7\" attempt=\"1\" "
			  "severity=\"high\" rule=\"a \\\"quoted\\\" \\] \\\\ rule <1>1 forged\" ") != NULL,
	   "and fields, whose values are escaped");
	ok(strstr(out, "] \xef\xbb\xbfprice  [31m changed \xc3\xa4 ?") != NULL &&
		   strchr(out, '\n') == NULL && strchr(out, '\x1b') == NULL,
	   "and a text without control characters or bad UTF-8");
	if (large == NULL)
		exit(1);
	memset(large, 'x', 20000);
	large[20000] = '\0';
	alert.sentence = alert.rule = alert.table = alert.resource_id = large;
	len = at_syslog_write(out, &config, "", &alert);
	ok(len <= AT_SYSLOG_MAX && len > 8000 && out[len - 1] == 'x', "it is cut where it is too long");
	for (int i = 0; i < 20000; i += 2)
		memcpy(large + i, "\xc3\xa4", 2);
	len = at_syslog_write(out, &config, "", &alert);
	ok(len <= AT_SYSLOG_MAX && out[len - 1] == '\xa4', "between characters");
	free(large);
}

static void
test_files(void)
{
	char text[100];

	ok(at_file_replace(".", "a", "one\n") && at_file_replace(".", "a", "two\n") &&
		   at_file_read("a", text, sizeof(text)) && strcmp(text, "two\n") == 0,
	   "a file is replaced");
	ok(access("a.new", F_OK) != 0, "and nothing is left beside it");
	ok(!at_file_replace("nowhere", "a", "x"), "where that cannot be, it says so");
	write_file("lines", "{\"half", 0600);
	ok(at_file_append("lines", "{}") && at_file_read("lines", text, sizeof(text)) &&
		   strcmp(text, "{\"half\n{}\n") == 0,
	   "a line that was cut off by a crash does not spoil the next one");
	ok(access("/dev/full", W_OK) != 0 || !at_file_append("/dev/full", "{}"),
	   "a full disk is an error");
	ok(!at_file_read("lines", text, 5), "what is too long is not read in part");
}

int
main(void)
{
	test_config();
	test_signature();
	test_syslog();
	test_files();
	printf("1..%d\n", tests);
	return failures == 0 ? 0 : 1;
}
