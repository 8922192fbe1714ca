/*-------------------------------------------------------------------------
 * options.c
 *		What the command line says.
 *-------------------------------------------------------------------------
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "message.h"
#include "options.h"

#define TRY_HELP "Try \"audit_verify --help\" for more information."

static const char help[] =
	"audit_verify checks what an audit_trail database has given out, without a server.\n"
	"\n"
	"Usage:\n"
	"  audit_verify --key=KEY [OPTION]... FILE\n"
	"\n"
	"FILE is one of these:\n"
	"  the proof of an event, which audit.prove() gave\n"
	"  a checkpoint of a log, which audit.checkpoint() gave\n"
	"  a certificate of destruction, which audit.export_deletion() gave\n"
	"  a directory with a whole log, which audit.export_tlog() wrote, or with a whole\n"
	"  trail, which audit.export_archive() wrote\n"
	"  a file of cold segments (.atq), beside its proof, which audit.export_segments() wrote\n"
	"  a bundle of evidence, which audit.export_evidence() made: a directory or an archive\n"
	"\n"
	"Whom to believe:\n"
	"  -k, --key=KEY           public key of the log, or a file of such, one a line\n"
	"  -w, --witness=KEY       public key of a witness, or a file of such\n"
	"  -q, --quorum=N          so many witnesses must have cosigned (default: all)\n"
	"  -t, --tsa-ca=FILE       certificates (PEM) of authorities for time stamps\n"
	"\n"
	"What it must agree with:\n"
	"  -c, --checkpoint=FILE   checkpoints that you kept from earlier\n"
	"  -p, --consistency=FILE  the proof that leads from one to the other, which\n"
	"                          audit.prove_consistency() gave\n"
	"\n"
	"Other options:\n"
	"  -e, --event=EVENT       of a file of cold segments, tell this event besides: 1042.3\n"
	"  -j, --json              print the result as JSON\n"
	"  -V, --version           print the version, then exit\n"
	"  -?, --help              print this, then exit\n"
	"\n"
	"Exit status: 0 if it is valid, 1 if it is not, 2 if that could not be found out.\n";

static const struct option long_options[] = {
	{"checkpoint", required_argument, NULL, 'c'},
	{"consistency", required_argument, NULL, 'p'},
	{"event", required_argument, NULL, 'e'},
	{"json", no_argument, NULL, 'j'},
	{"key", required_argument, NULL, 'k'},
	{"quorum", required_argument, NULL, 'q'},
	{"tsa-ca", required_argument, NULL, 't'},
	{"witness", required_argument, NULL, 'w'},
	{NULL, 0, NULL, 0},
};

static void answer_and_exit(const char *argument);
static void read_option(AtOptions *options, int option);
static int read_quorum(const char *text);
static void check(const AtOptions *options);

void
at_options_read(AtOptions *options, int argc, char **argv)
{
	int option;

	*options = (AtOptions){.trust.quorum = -1};
	if (argc > 1)
		answer_and_exit(argv[1]);
	while ((option = getopt_long(argc, argv, "c:e:jk:p:q:t:w:", long_options, NULL)) != -1)
		read_option(options, option);

	if (optind == argc)
		at_fatal_hint(TRY_HELP, "there is nothing to verify");
	if (optind + 1 < argc)
		at_fatal_hint(TRY_HELP, "too many command-line arguments (first is \"%s\")",
					  argv[optind + 1]);
	options->input = argv[optind];
	check(options);
	if (options->kept.path != NULL)
		at_kept_read(&options->kept, options->kept.path, &options->trust);
}

void
at_options_free(AtOptions *options)
{
	at_keys_free(&options->trust.log);
	at_keys_free(&options->trust.witness);
	at_kept_free(&options->kept);
}

/* As all programs of PostgreSQL do, for the first argument alone. */
static void
answer_and_exit(const char *argument)
{
	const char *answer = NULL;

	if (strcmp(argument, "--help") == 0 || strcmp(argument, "-?") == 0)
		answer = help;
	if (strcmp(argument, "--version") == 0 || strcmp(argument, "-V") == 0)
		answer = AT_PROGRAM " (audit_trail) " AT_VERSION "\n";
	if (answer == NULL)
		return;

	fputs(answer, stdout);
	exit(fflush(stdout) == 0 ? EXIT_SUCCESS : AT_NOT_CHECKED);
}

static void
read_option(AtOptions *options, int option)
{
	switch (option)
	{
		case 'c':
			options->kept.path = optarg;
			break;
		case 'e':
			options->event = optarg;
			break;
		case 'j':
			options->json = true;
			break;
		case 'k':
			at_keys_add(&options->trust.log, AT_KEY_NOTE, optarg);
			break;
		case 'p':
			options->kept.consistency_path = optarg;
			break;
		case 'q':
			options->trust.quorum = read_quorum(optarg);
			break;
		case 't':
			options->trust.tsa_path = optarg;
			break;
		case 'w':
			at_keys_add(&options->trust.witness, AT_KEY_COSIGNATURE, optarg);
			break;
		default:
			/* getopt_long() has said what is wrong */
			fprintf(stderr, "%s\n", TRY_HELP);
			exit(AT_NOT_CHECKED);
	}
}

static int
read_quorum(const char *text)
{
	uint64_t number;

	if (!at_text_decimal(at_text(text), &number) || number > INT32_MAX)
		at_fatal_hint(TRY_HELP, "invalid value \"%s\" for option --quorum", text);
	return (int) number;
}

static void
check(const AtOptions *options)
{
	const AtUserTrust *trust = &options->trust;

	if (trust->log.count == 0)
		at_fatal_hint("Get the public key of the log from somebody whom you trust, and name it in "
					  "--key. A key that comes with what is to be verified proves nothing.",
					  "no public key was given, so nobody vouches for who has signed this");
	if (options->kept.consistency_path != NULL && options->kept.path == NULL)
		at_fatal_hint(TRY_HELP, "option --consistency needs --checkpoint");
	if (trust->quorum > 0 && (size_t) trust->quorum > trust->witness.count)
		at_fatal_hint("Name their keys in --witness.",
					  "%d witnesses must have cosigned, but only %zu are known", trust->quorum,
					  trust->witness.count);
}
