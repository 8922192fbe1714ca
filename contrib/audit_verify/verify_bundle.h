/*-------------------------------------------------------------------------
 * verify_bundle.h
 *		Verifies a bundle of evidence: what audit.export_evidence() gives.
 *
 * Nothing of it is believed but what the keys of the user have signed. In
 * this order: the files are those of MANIFEST; the entries of the log are in
 * the checkpoint's tree; the checkpoint is signed as the keys among them and
 * the user's demand; each transaction and event is in its batch; they fit
 * together, and the readable files say what they say.
 *
 * In memory are the bodies, and one proof at a time.
 *-------------------------------------------------------------------------
 */
#ifndef AT_VERIFY_BUNDLE_H
#define AT_VERIFY_BUNDLE_H

#include "kept.h"
#include "timestamp.h"

extern void at_verify_bundle_directory(AtResult *result, const char *directory,
									   const AtUserTrust *trust, const AtKept *kept);
extern void at_verify_bundle_archive(AtResult *result, AtText archive, const AtUserTrust *trust,
									 const AtKept *kept);

#endif
