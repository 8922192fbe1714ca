/*-------------------------------------------------------------------------
 * guc_check.h
 *		What the settings of audit_trail accept: the check hooks of guc.c.
 *
 * They run in the postmaster and at reload too: they look at no catalog and
 * report through GUC_check_errdetail(). The one thing in them that can raise an
 * error is the JSON parser's stack check.
 *-------------------------------------------------------------------------
 */
#ifndef AT_GUC_CHECK_H
#define AT_GUC_CHECK_H

#include "utils/guc.h"

extern bool at_guc_check_anchor_command(char **newval, void **extra, GucSource source);
extern bool at_guc_check_archive_command(char **newval, void **extra, GucSource source);
extern bool at_guc_check_channel(char **newval, void **extra, GucSource source);
extern bool at_guc_check_context(char **newval, void **extra, GucSource source);
extern bool at_guc_check_extra(char **newval, void **extra, GucSource source);
extern bool at_guc_check_path(char **newval, void **extra, GucSource source);
extern bool at_guc_check_remove_command(char **newval, void **extra, GucSource source);
extern bool at_guc_check_window(char **newval, void **extra, GucSource source);

#endif
