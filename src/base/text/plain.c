#include "base/text/plain.h"

/* Of a character that begins with this byte: how many bytes follow, its first bits, the least that it may stand for. -1: none does. */
static int head_of(uint8_t b, uint32_t *v, uint32_t *min)
{
	if (b >= 0xc2 && b < 0xe0) {
		*v = b & 0x1fu, *min = 0x80;
		return 1;
	}
	if (b >= 0xe0 && b < 0xf0) {
		*v = b & 0x0fu, *min = 0x800;
		return 2;
	}
	if (b >= 0xf0 && b < 0xf5) {
		*v = b & 0x07u, *min = 0x10000;
		return 3;
	}
	return -1;
}

int text_rune(const void *s, size_t len, uint32_t *ret)
{
	const uint8_t *p = s;
	uint32_t v, min;
	int more;

	if (!len)
		return RUNE_CUT;
	*ret = p[0];
	if (p[0] < 0x80)
		return 1;
	more = head_of(p[0], &v, &min);
	if (more < 0)
		return RUNE_BAD;
	for (int i = 1; i <= more; i++) {
		if ((size_t)i == len)
			return RUNE_CUT;
		if ((p[i] & 0xc0) != 0x80)
			return RUNE_BAD;
		v = v << 6 | (p[i] & 0x3fu);
	}
	if (v < min || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return RUNE_BAD;
	*ret = v;
	return more + 1;
}

bool text_rune_shows(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{ 0, 0x1f },
		{ 0x7f, 0x9f },
		{ 0xad, 0xad }, /* controls; the soft hyphen */
		{ 0x61c, 0x61c },
		{ 0x180e, 0x180e },
		{ 0x200b, 0x200b },
		{ 0x200e, 0x200f },
		{ 0x2028, 0x202e },
		{ 0x2060, 0x206f }, /* direction, lines, no width */
		{ 0xfeff, 0xfeff },
		{ 0xfff9, 0xfffb },
		{ 0xfffe, 0xffff },
		{ 0xe0000, 0xe0fff },
	};

	if (c >= 0x20 && c < 0x7f)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
		if (c >= hidden[i].first && c <= hidden[i].last)
			return false;
	return c <= 0x10ffff;
}

/* How many bytes from here on are ASCII that may be shown. */
static size_t ascii_run(const uint8_t *p, size_t len)
{
	size_t i = 0;

	while (i < len && p[i] >= 0x20 && p[i] < 0x7f)
		i++;
	return i;
}

bool text_is_plain(const void *s, size_t len)
{
	const uint8_t *p = s;
	size_t i = ascii_run(p, len);

	while (i < len) {
		uint32_t c;
		int n = text_rune(p + i, len - i, &c);

		if (n <= 0 || !text_rune_shows(c))
			return false;
		i += (size_t)n;
		i += ascii_run(p + i, len - i);
	}
	return true;
}

size_t text_make_plain(char *s, size_t len)
{
	uint8_t *p = (uint8_t *)s;
	size_t i = ascii_run(p, len), out = i;

	while (i < len) {
		uint32_t c;
		int n = text_rune(p + i, len - i, &c);

		if (n > 0 && text_rune_shows(c)) {
			memmove(p + out, p + i, (size_t)n);
			out += (size_t)n;
		} else {
			p[out++] = '?';
		}
		i += n > 0 ? (size_t)n : 1;
	}
	if (out < len)
		p[out] = 0;
	return out;
}

static bool is_of_secret(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-_+/=.~", c));
}

static void blank_behind(char *s, const char *mark)
{
	for (char *p = s; (p = strstr(p, mark));)
		for (p += strlen(mark); is_of_secret(*p); p++)
			*p = '.';
}

/* Name and password in a URL: "https://name:password@host". */
static void blank_userinfo(char *s)
{
	for (char *p = s; (p = strstr(p, "://"));) {
		size_t n = strcspn(p += 3, "/ \"'?#");
		char *at = memchr(p, '@', n);

		for (char *q; at && (q = memchr(at + 1, '@', n - (size_t)(at + 1 - p)));)
			at = q;
		if (at)
			memset(p, '.', (size_t)(at - p));
	}
}

void text_hide_secrets(char *s)
{
	static const char *const marks[] = { "privkey:", "nlpriv:", "wkey-", "tskey-", "hskey-",
		"Bearer ", "Basic ", "authkey=", "auth-key=", "auth_key=", "token=", "secret=",
		"password=", "X-Hub-Signature-256: " };

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		blank_behind(s, marks[i]);
	blank_userinfo(s);
}
