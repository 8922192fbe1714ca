/*-------------------------------------------------------------------------
 * sample.h
 *		For tests: a valid bundle, and variants of it.
 *
 * Whatever is verified is either the sample, byte for byte, or not valid;
 * expect_verdict() aborts if that is not so.
 *-------------------------------------------------------------------------
 */
#ifndef AT_SAMPLE_H
#define AT_SAMPLE_H

#include "verify_bundle.h"

typedef struct Sample
{
	AtText archive;
	AtUserTrust trust;

	/* the files, MANIFEST first */
	size_t count;
	AtText *path;
	AtText *content;
} Sample;

/* Read the archive in this file, which must be valid for the key, a vkey or a file. */
extern void at_sample_read(Sample *sample, const char *path, const char *key);
extern void at_sample_free(Sample *sample);

/* The archive of the sample with another content of this file, and MANIFEST written for it. */
extern AtText at_sample_forge(const Sample *sample, size_t file, AtText content);

/*
 * Verify an archive. Returns whether it is valid; the first fault, or "", goes to
 * fault. Aborts if something else than the sample is valid.
 */
extern bool at_sample_verify(const Sample *sample, AtText archive, char *fault, size_t size);

/* The same of a directory, of which the caller knows whether it is the sample. */
extern bool at_sample_verify_directory(const Sample *sample, const char *directory, char *fault,
									   size_t size);

#endif
