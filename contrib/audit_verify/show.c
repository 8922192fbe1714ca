/*-------------------------------------------------------------------------
 * show.c
 *		Foreign bytes in the form in which a terminal and JSON can have them.
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>

#include "message.h"
#include "show.h"

#define USECS_PER_SEC INT64_C(1000000)
#define SECS_PER_DAY  INT64_C(86400)

/* Characters that print nothing, or change how others are printed. */
static const struct
{
	int32_t first;
	int32_t last;
} hidden[] = {
	{0x00, 0x1f},       /* C0 */
	{0x7f, 0x9f},       /* DEL, C1 */
	{0xad, 0xad},       /* soft hyphen */
	{0x34f, 0x34f},     /* joiner */
	{0x61c, 0x61c},     /* Arabic letter mark */
	{0x115f, 0x1160},   /* Hangul fillers */
	{0x17b4, 0x17b5},   /* Khmer vowels */
	{0x180b, 0x180f},   /* Mongolian selectors */
	{0x200b, 0x200f},   /* zero width, directions */
	{0x2028, 0x202e},   /* line and paragraph, directions */
	{0x2060, 0x206f},   /* joiners, directions */
	{0x3164, 0x3164},   /* Hangul filler */
	{0xe000, 0xf8ff},   /* private use */
	{0xfe00, 0xfe0f},   /* variation selectors */
	{0xfeff, 0xfeff},   /* byte order mark */
	{0xffa0, 0xffa0},   /* Hangul filler */
	{0xfff0, 0xffff},   /* specials */
	{0x1d173, 0x1d17a}, /* musical format */
	{0xe0000, 0x10ffff} /* tags, private use */
};

static bool is_hidden(int32_t code_point);
static char *show_bytes(char *out, AtText bytes);

char *
at_show(AtText text)
{
	char *shown = at_alloc(4 * text.len + 1);
	char *out = shown;

	while (text.len > 0)
	{
		AtText rest = text;
		int32_t code_point = at_text_character(&rest);
		size_t len = code_point < 0 ? 1 : text.len - rest.len;

		if (code_point < 0 || is_hidden(code_point))
			out = show_bytes(out, (AtText){text.data, len});
		else
		{
			if (code_point == '\\')
				*out++ = '\\';
			memcpy(out, text.data, len);
			out += len;
		}
		text = (AtText){text.data + len, text.len - len};
	}
	*out = '\0';
	return shown;
}

/* By the proleptic Gregorian calendar; years from 1 BC back are 0, -1 and so on, as in ISO 8601. */
const char *
at_show_time(int64_t time, char buffer[AT_SHOWN_TIME_MAX])
{
	int64_t usecs = (time % USECS_PER_SEC + USECS_PER_SEC) % USECS_PER_SEC;
	int64_t secs = (time - usecs) / USECS_PER_SEC;
	int64_t sec = (secs % SECS_PER_DAY + SECS_PER_DAY) % SECS_PER_DAY;

	/* days since 0000-03-01, in cycles of 400 years: leap days come last in a year */
	int64_t days = (secs - sec) / SECS_PER_DAY + 719468;
	int64_t day_of_cycle = (days % 146097 + 146097) % 146097;
	int64_t cycle = (days - day_of_cycle) / 146097;
	int64_t year =
		(day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36524 - day_of_cycle / 146096) / 365;
	int64_t day = day_of_cycle - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * day + 2) / 153;

	day -= (153 * month + 2) / 5;
	year += cycle * 400 + (month >= 10 ? 1 : 0);
	month += month < 10 ? 3 : -9;
	snprintf(buffer, AT_SHOWN_TIME_MAX, "%04" PRId64 "-%02d-%02d %02d:%02d:%02d.%06d UTC", year,
			 (int) month, (int) day + 1, (int) (sec / 3600), (int) (sec / 60 % 60),
			 (int) (sec % 60), (int) usecs);
	return buffer;
}

static bool
is_hidden(int32_t code_point)
{
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (code_point >= hidden[i].first && code_point <= hidden[i].last)
			return true;

	return false;
}

static char *
show_bytes(char *out, AtText bytes)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < bytes.len; i++)
	{
		uint8_t byte = (uint8_t) bytes.data[i];

		*out++ = '\\';
		*out++ = 'x';
		*out++ = digits[byte >> 4];
		*out++ = digits[byte & 15];
	}
	return out;
}
