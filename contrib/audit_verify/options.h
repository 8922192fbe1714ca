/*-------------------------------------------------------------------------
 * options.h
 *		What the command line says.
 *-------------------------------------------------------------------------
 */
#ifndef AT_OPTIONS_H
#define AT_OPTIONS_H

#include "kept.h"

typedef struct AtOptions
{
	AtUserTrust trust;
	AtKept kept;
	bool json;
	const char *event; /* of a file of cold segments: tell this one besides; or NULL */
	const char *input; /* what is to be verified */
} AtOptions;

/* Ends the program for --help and --version, and by at_fatal() if the line makes no sense. */
extern void at_options_read(AtOptions *options, int argc, char **argv);

extern void at_options_free(AtOptions *options);

#endif
