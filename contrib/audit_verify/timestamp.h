/*-------------------------------------------------------------------------
 * timestamp.h
 *		Time stamps of a bundle's checkpoint: RFC 3161.
 *-------------------------------------------------------------------------
 */
#ifndef AT_TIMESTAMP_H
#define AT_TIMESTAMP_H

#include "core/evidence.h"
#include "result.h"

/*
 * Verify the time stamps of the evidence, whose checkpoint was verified. Each
 * must be over the checkpoint. By whom it was made is verified if the
 * certificates of authorities that the user believes are in the file ca_path,
 * in PEM; a certificate must have been valid at the time of the stamp. NULL:
 * the user believes none.
 */
extern void at_verify_timestamps(AtResult *result, const AtEvidence *evidence, const char *ca_path);

#endif
