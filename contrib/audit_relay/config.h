/*-------------------------------------------------------------------------
 * config.h
 *		The configuration file: where alerts come from and where they go.
 *
 * Lines "name = value", and "[sink NAME]" before those of a sink; "#" begins a
 * comment line. A name that is not known is an error: what is misspelt must
 * not be thought to be set.
 *-------------------------------------------------------------------------
 */
#ifndef AT_CONFIG_H
#define AT_CONFIG_H

#include <stdbool.h>

#define AT_SINKS_MAX 32
#define AT_NAME_MAX  40   /* of a sink, with its zero byte */
#define AT_VALUE_MAX 1024 /* of any value */

typedef enum AtSinkType
{
	AT_SINK_NONE,
	AT_SINK_WEBHOOK,
	AT_SINK_SYSLOG,
	AT_SINK_FILE
} AtSinkType;

typedef struct AtSinkConfig
{
	char name[AT_NAME_MAX];
	AtSinkType type;
	char channel[AT_VALUE_MAX];
	bool from_begin; /* the first time: all that was ever told, not only what comes */

	/* retry */
	int timeout;       /* s, of an attempt */
	int retry_first;   /* ms */
	int retry_max;     /* s */
	int give_up_after; /* s since the alert was told */

	/* webhook */
	char url[AT_VALUE_MAX];
	char secret_file[AT_VALUE_MAX];

	/* syslog */
	char address[AT_VALUE_MAX];
	char host_name[AT_VALUE_MAX]; /* that messages come from; empty: this machine's */
	char app_name[AT_VALUE_MAX];
	char sd_id[AT_VALUE_MAX];
	int facility;

	/* both */
	char ca_file[AT_VALUE_MAX]; /* empty: those that the system trusts */

	/* file */
	char path[AT_VALUE_MAX];
} AtSinkConfig;

typedef struct AtConfig
{
	char conninfo[AT_VALUE_MAX];
	char state[AT_VALUE_MAX];  /* directory */
	char source[AT_VALUE_MAX]; /* of the CloudEvents */
	char health[AT_VALUE_MAX]; /* address of the page; empty: none */
	int nsinks;
	AtSinkConfig sink[AT_SINKS_MAX];
} AtConfig;

/* Read a file. False, and an error with its line was said, if it is none of ours. */
extern bool at_config_read(AtConfig *config, const char *path);

#endif
