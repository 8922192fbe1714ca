/*-------------------------------------------------------------------------
 * timestamp.c
 *		Time stamps of a bundle's checkpoint: RFC 3161.
 *
 * Stamped may be the whole file, the text of the note without its signatures,
 * or the note with its first signature: what there was before witnesses
 * added theirs.
 *-------------------------------------------------------------------------
 */
#include <openssl/ts.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/evidence_path.h"
#include "core/note.h"
#include "message.h"
#include "show.h"
#include "timestamp.h"

#define TEXTS 3

/* OpenSSL 3.4 says in the names that data and store are given away. */
#if OPENSSL_VERSION_NUMBER < 0x30400000L
#define TS_VERIFY_CTX_set0_data(context, data)   TS_VERIFY_CTX_set_data((context), (data))
#define TS_VERIFY_CTX_set0_store(context, store) TS_VERIFY_CTX_set_store((context), (store))
#endif

static void verify(AtResult *result, const AtEvidenceStamp *stamp, const AtText *texts,
				   const char *ca_path);
static TS_RESP *read_response(AtText bytes);
static bool is_over(TS_RESP *response, const AtText *texts, int *which);
static bool check(TS_RESP *response, AtText text, int flags, X509_STORE *store);
static X509_STORE *load_store(const char *ca_path, int64_t when);
static bool get_time(TS_RESP *response, int64_t *when);
static void say(AtResult *result, TS_RESP *response, const char *part, int64_t when,
				bool is_verified);
static char *name_of_signer(TS_RESP *response);
static void *demand(void *made);

void
at_verify_timestamps(AtResult *result, const AtEvidence *evidence, const char *ca_path)
{
	AtText file = evidence->checkpoint;
	AtNote note;
	AtText lines;
	AtText line;

	at_check_machine(at_note_read(&note, file));
	lines = (AtText){file.data + note.text.len + 1, file.len - note.text.len - 1};
	(void) at_text_line(&lines, &line);

	AtText texts[TEXTS] = {file, {file.data, file.len - lines.len}, note.text};

	for (size_t i = 0; i < evidence->stamp_count; i++)
		verify(result, &evidence->stamp[i], texts, ca_path);
}

static void
verify(AtResult *result, const AtEvidenceStamp *stamp, const AtText *texts, const char *ca_path)
{
	char part[AT_EVIDENCE_PATH_MAX + 1];
	TS_RESP *response = read_response(stamp->response);
	int64_t when;
	int which;

	snprintf(part, sizeof(part), "timestamp/%.*s.tsr", (int) stamp->name.len, stamp->name.data);
	if (response == NULL || !get_time(response, &when))
		at_result_fault(result, part, "it is not a time stamp");
	else if (!is_over(response, texts, &which))
		at_result_fault(result, part, "it is not a time stamp of this checkpoint");
	else if (ca_path == NULL)
		say(result, response, part, when, false);
	else
	{
		X509_STORE *store = load_store(ca_path, when);

		if (check(response, texts[which], TS_VFY_SIGNATURE | TS_VFY_VERSION | TS_VFY_DATA, store))
			say(result, response, part, when, true);
		else
			at_result_fault(result, part,
							"it is not signed by whom the certificates in \"%s\" vouch for",
							at_said(result, at_text(ca_path)));
	}
	TS_RESP_free(response);
}

/* NULL if the bytes are not exactly one response. */
static TS_RESP *
read_response(AtText bytes)
{
	const unsigned char *at = (const unsigned char *) bytes.data;
	TS_RESP *response = d2i_TS_RESP(NULL, &at, (long) bytes.len);

	if (response == NULL || at != (const unsigned char *) bytes.data + bytes.len)
	{
		TS_RESP_free(response);
		return NULL;
	}
	return response;
}

static bool
is_over(TS_RESP *response, const AtText *texts, int *which)
{
	for (int i = 0; i < TEXTS; i++)
		if (check(response, texts[i], TS_VFY_VERSION | TS_VFY_DATA, NULL))
		{
			*which = i;
			return true;
		}
	return false;
}

/* The store, if there is one, is given away. */
static bool
check(TS_RESP *response, AtText text, int flags, X509_STORE *store)
{
	TS_VERIFY_CTX *context = demand(TS_VERIFY_CTX_new());
	bool holds;

	TS_VERIFY_CTX_set_flags(context, flags);
	TS_VERIFY_CTX_set0_data(context, demand(BIO_new_mem_buf(text.data, (int) text.len)));
	TS_VERIFY_CTX_set0_store(context, store);
	holds = TS_RESP_verify_response(context, response) == 1;
	TS_VERIFY_CTX_free(context);
	return holds;
}

/* Certificates are judged as of the time of the stamp, which outlives them. */
static X509_STORE *
load_store(const char *ca_path, int64_t when)
{
	X509_STORE *store = demand(X509_STORE_new());
	X509_VERIFY_PARAM *param = X509_STORE_get0_param(store);

	if (X509_STORE_load_file(store, ca_path) != 1)
		at_fatal("could not read certificates from file \"%s\"", ca_path);
	X509_VERIFY_PARAM_set_time(param, (time_t) when);
	return store;
}

/* In seconds since 1970; false if the response is a refusal. */
static bool
get_time(TS_RESP *response, int64_t *when)
{
	TS_TST_INFO *info = TS_RESP_get_tst_info(response);
	const ASN1_GENERALIZEDTIME *time = info != NULL ? TS_TST_INFO_get_time(info) : NULL;
	ASN1_TIME *epoch = demand(ASN1_TIME_set(NULL, 0));
	int days;
	int seconds;
	bool is_read = time != NULL && ASN1_TIME_diff(&days, &seconds, epoch, time) == 1;

	ASN1_TIME_free(epoch);
	if (is_read)
		*when = (int64_t) days * 86400 + seconds;
	return is_read;
}

static void
say(AtResult *result, TS_RESP *response, const char *part, int64_t when, bool is_verified)
{
	char time[AT_SHOWN_TIME_MAX];
	char *name = name_of_signer(response);

	at_show_time(when * 1000000, time);
	if (is_verified)
		at_result_add(result, AT_SIGNED_BY, "%s, an authority for time stamps, at %s (%s)",
					  at_said(result, at_text(name)), time, part);
	else
		at_result_add(result, AT_REMARKS,
					  "%s: a time stamp, of %s, was not checked: you gave no certificate", part,
					  time);
	OPENSSL_free(name);
}

/* The caller frees it. */
static char *
name_of_signer(TS_RESP *response)
{
	STACK_OF(X509) *signers = PKCS7_get0_signers(TS_RESP_get_token(response), NULL, 0);
	char *name = signers != NULL && sk_X509_num(signers) > 0
					 ? X509_NAME_oneline(X509_get_subject_name(sk_X509_value(signers, 0)), NULL, 0)
					 : NULL;

	sk_X509_free(signers);
	return name != NULL ? name : demand(OPENSSL_strdup("somebody"));
}

static void *
demand(void *made)
{
	if (made == NULL)
		at_check_machine(AT_ERR_LIBCRYPTO);
	return made;
}
