/*-------------------------------------------------------------------------
 * main.c
 *		audit_witness: cosigns checkpoints of logs that only grow, and asks
 *		others to.
 *-------------------------------------------------------------------------
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "ask.h"
#include "core/hash.h"
#include "key.h"
#include "message.h"
#include "serve.h"
#include "state.h"

#define TRY_HELP "Try \"audit_witness --help\" for more information."

#define TIMEOUT_DEFAULT 10
#define TIMEOUT_MAX     3600

static const char help[] =
	"audit_witness cosigns checkpoints of transparency logs that only grow.\n"
	"\n"
	"Usage:\n"
	"  audit_witness keygen FILE NAME\n"
	"  audit_witness serve --key=FILE --state=DIRECTORY --log=KEY... --listen=ADDRESS\n"
	"  audit_witness ask --to=ADDRESS... --key=KEY... [--quorum=N] [--timeout=SECONDS] REQUEST\n"
	"\n"
	"keygen makes a key, and prints the public key.\n"
	"\n"
	"serve answers POST /add-checkpoint (C2SP tlog-witness):\n"
	"  -k, --key=FILE          the key that cosigns\n"
	"  -s, --state=DIRECTORY   what was cosigned last; must never be set back\n"
	"  -l, --log=KEY           public key of a log, or a file of such, one a line\n"
	"  -a, --listen=ADDRESS    127.0.0.1:PORT, [::1]:PORT, or the path of a socket\n"
	"\n"
	"ask has a checkpoint cosigned and prints the cosignatures:\n"
	"  -t, --to=ADDRESS        a witness\n"
	"  -k, --key=KEY           public key of a witness, or a file of such\n"
	"  -q, --quorum=N          so many must cosign (default: all that are asked)\n"
	"  -T, --timeout=SECONDS   for each step (default: 10)\n"
	"\n"
	"  -V, --version           print the version, then exit\n"
	"  -?, --help              print this, then exit\n"
	"\n"
	"Exit status of ask: 0 if enough have cosigned; 3, and \"old N\" on stdout, if a\n"
	"proof from size N is needed; else 1, or 2 for a wrong command line.\n";

static const struct option serve_options[] = {
	{"key", required_argument, NULL, 'k'},
	{"listen", required_argument, NULL, 'a'},
	{"log", required_argument, NULL, 'l'},
	{"state", required_argument, NULL, 's'},
	{NULL, 0, NULL, 0},
};

static const struct option ask_options[] = {
	{"key", required_argument, NULL, 'k'},
	{"quorum", required_argument, NULL, 'q'},
	{"timeout", required_argument, NULL, 'T'},
	{"to", required_argument, NULL, 't'},
	{NULL, 0, NULL, 0},
};

static int run_keygen(int argc, char **argv);
static int run_serve(int argc, char **argv);
static int run_ask(int argc, char **argv);
static void take_log_key(const AtPublicKey *key, void *arg);
static void take_witness_key(const AtPublicKey *key, void *arg);
static int read_number(const char *name, const char *text, int max);
static void wrong_usage(const char *what) __attribute__((noreturn));

int
main(int argc, char **argv)
{
	static const struct
	{
		const char *name;
		int (*run)(int argc, char **argv);
	} commands[] = {{"keygen", run_keygen}, {"serve", run_serve}, {"ask", run_ask}};
	const char *name = argc > 1 ? argv[1] : "";

	if (strcmp(name, "--help") == 0 || strcmp(name, "-?") == 0)
	{
		fputs(help, stdout);
		return EXIT_SUCCESS;
	}
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
	{
		puts("audit_witness " AT_VERSION);
		return EXIT_SUCCESS;
	}
	if (!at_hash_init())
		at_die(AT_EXIT_FAILURE, "libcrypto does not compute SHA-256");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	wrong_usage("there is no such command");
}

static void
wrong_usage(const char *what)
{
	at_say("%s", what);
	at_die(AT_EXIT_USAGE, TRY_HELP);
}

static int
run_keygen(int argc, char **argv)
{
	if (argc != 3)
		wrong_usage("keygen wants a file and a name");
	at_make_key(argv[1], argv[2]);
	return EXIT_SUCCESS;
}

static int
run_serve(int argc, char **argv)
{
	static AtWitness witness;
	const char *key = NULL;
	const char *state = NULL;
	const char *address = NULL;
	int option;

	while ((option = getopt_long(argc, argv, "a:k:l:s:", serve_options, NULL)) != -1)
	{
		switch (option)
		{
			case 'a':
				address = optarg;
				break;
			case 'k':
				key = optarg;
				break;
			case 'l':
				at_each_key(optarg, take_log_key, &witness.known);
				break;
			case 's':
				state = optarg;
				break;
			default:
				at_die(AT_EXIT_USAGE, TRY_HELP);
		}
	}
	if (key == NULL || state == NULL || address == NULL || witness.known.log_count == 0 ||
		optind < argc)
		wrong_usage("serve wants --key, --state, --log and --listen");
	at_read_key(key, &witness.key);
	witness.directory = at_state_open(state, &witness.known);
	witness.listener = at_listen(address);
	at_serve(&witness);
}

static void
take_log_key(const AtPublicKey *key, void *arg)
{
	if (!at_know(arg, key))
		at_die(AT_EXIT_USAGE, "the key \"%s\" is not that of a log, or there are too many",
			   key->name);
}

static int
run_ask(int argc, char **argv)
{
	static AtAsk ask = {.quorum = -1, .timeout = TIMEOUT_DEFAULT};
	int option;

	while ((option = getopt_long(argc, argv, "T:k:q:t:", ask_options, NULL)) != -1)
	{
		switch (option)
		{
			case 'T':
				ask.timeout = read_number("timeout", optarg, TIMEOUT_MAX);
				break;
			case 'k':
				at_each_key(optarg, take_witness_key, &ask);
				break;
			case 'q':
				ask.quorum = read_number("quorum", optarg, AT_WITNESSES_MAX);
				break;
			case 't':
				if (ask.address_count == AT_WITNESSES_MAX)
					at_die(AT_EXIT_USAGE, "there are too many witnesses");
				ask.address[ask.address_count++] = optarg;
				break;
			default:
				at_die(AT_EXIT_USAGE, TRY_HELP);
		}
	}
	if (ask.address_count == 0 || ask.key_count == 0 || optind != argc - 1)
		wrong_usage("ask wants --to, --key and the file of a request");
	ask.request = argv[optind];
	return at_ask(&ask);
}

static void
take_witness_key(const AtPublicKey *key, void *arg)
{
	AtAsk *ask = arg;

	if (key->type != AT_KEY_COSIGNATURE || ask->key_count == AT_WITNESSES_MAX)
		at_die(AT_EXIT_USAGE, "the key \"%s\" is not that of a witness, or there are too many",
			   key->name);
	ask->key[ask->key_count++] = *key;
}

static int
read_number(const char *name, const char *text, int max)
{
	uint64_t number;

	if (!at_text_decimal(at_text(text), &number) || number == 0 || number > (uint64_t) max)
		at_die(AT_EXIT_USAGE, "the %s is a number from 1 to %d", name, max);
	return (int) number;
}
