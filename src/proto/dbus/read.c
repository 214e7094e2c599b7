#include "proto/dbus/dbus.h"

enum {
	FIXED_LEN = 16, /* up to and with the length of the header's fields */
	VERSION = 1,
};

/* Header fields. */
enum {
	PATH = 1,
	INTERFACE = 2,
	MEMBER = 3,
	ERROR_NAME = 4,
	REPLY_SERIAL = 5,
	SENDER = 7,
	SIGNATURE = 8
};

void dbus_get_align(struct dbus_in *in, size_t n)
{
	size_t at = (in->at + n - 1) / n * n;

	if (at > in->len)
		in->bad = true;
	else if (!in->bad)
		in->at = at;
}

static const uint8_t *take(struct dbus_in *in, size_t n)
{
	if (in->bad || in->len - in->at < n) {
		in->bad = true;
		return NULL;
	}
	in->at += n;
	return in->p + in->at - n;
}

uint8_t dbus_get_u8(struct dbus_in *in)
{
	const uint8_t *p = take(in, 1);

	return p ? *p : 0;
}

uint32_t dbus_get_u32(struct dbus_in *in)
{
	const uint8_t *p;

	dbus_get_align(in, 4);
	p = take(in, 4);
	return !p ? 0 : in->big ? load_be32(p) : load_le32(p);
}

uint64_t dbus_get_u64(struct dbus_in *in)
{
	const uint8_t *p;

	dbus_get_align(in, 8);
	p = take(in, 8);
	return !p ? 0 : in->big ? load_be64(p) : load_le64(p);
}

bool dbus_get_bool(struct dbus_in *in)
{
	uint32_t v = dbus_get_u32(in);

	if (v > 1)
		in->bad = true;
	return v == 1;
}

static struct view text_of_len(struct dbus_in *in, size_t len)
{
	const uint8_t *p = len < in->len ? take(in, len + 1) : NULL;

	if (!p || p[len] != 0 || memchr(p, 0, len)) {
		in->bad = true;
		return (struct view){ 0 };
	}
	return view_of(p, len);
}

struct view dbus_get_text(struct dbus_in *in)
{
	return text_of_len(in, dbus_get_u32(in));
}

struct view dbus_get_signature(struct dbus_in *in)
{
	return text_of_len(in, dbus_get_u8(in));
}

size_t dbus_get_array(struct dbus_in *in, size_t align)
{
	size_t n = dbus_get_u32(in);

	dbus_get_align(in, align);
	if (in->bad || in->len - in->at < n) {
		in->bad = true;
		return 0;
	}
	return in->at + n;
}

bool dbus_has(const struct dbus_in *in, size_t end)
{
	return !in->bad && in->at < end;
}

/* ---- types ---- */

static size_t align_of(uint8_t type)
{
	return strchr("ygv", type) ? 1 : strchr("nq", type) ? 2 : strchr("xtd({", type) ? 8 : 4;
}

/* The length of one complete type; 0: there is none. */
static size_t type_len(struct view s, int depth)
{
	size_t n = 1, part;

	if (!s.len || depth > DBUS_DEPTH_MAX || !*s.p || !strchr("ybnqiuxtdsogvha({", *s.p))
		return 0;
	if (*s.p == 'a') {
		part = type_len(view_of(s.p + 1, s.len - 1), depth + 1);
		return part ? part + 1 : 0;
	}
	if (*s.p != '(' && *s.p != '{')
		return 1;
	for (;;) {
		if (n == s.len)
			return 0;
		if (s.p[n] == (*s.p == '(' ? ')' : '}'))
			return n > 1 ? n + 1 : 0;
		part = type_len(view_of(s.p + n, s.len - n), depth + 1);
		if (!part)
			return 0;
		n += part;
	}
}

static void skip(struct dbus_in *in, struct view *sig, int depth);

static void skip_array(struct dbus_in *in, struct view *sig, int depth)
{
	size_t len = type_len(*sig, depth), end;
	struct view element = view_of(sig->p, len);

	if (!len) {
		in->bad = true;
		return;
	}
	sig->p += len;
	sig->len -= len;
	end = dbus_get_array(in, align_of(*element.p));
	while (dbus_has(in, end)) {
		struct view e = element;

		skip(in, &e, depth);
	}
	if (in->at != end)
		in->bad = true;
}

static void skip_struct(struct dbus_in *in, struct view *sig, uint8_t close, int depth)
{
	dbus_get_align(in, 8);
	while (!in->bad && sig->len && *sig->p != close)
		skip(in, sig, depth);
	if (!sig->len) {
		in->bad = true;
		return;
	}
	sig->p++;
	sig->len--;
}

static void skip_fixed(struct dbus_in *in, size_t n)
{
	dbus_get_align(in, n);
	(void)take(in, n);
}

static void skip(struct dbus_in *in, struct view *sig, int depth)
{
	uint8_t type = sig->len ? *sig->p : 0;
	struct view inner;

	if (in->bad || depth > DBUS_DEPTH_MAX || !type) {
		in->bad = true;
		return;
	}
	sig->p++;
	sig->len--;
	if (type == 'v') {
		inner = dbus_get_signature(in);
		skip(in, &inner, depth + 1);
		in->bad |= inner.len != 0;
	} else if (type == 'a') {
		skip_array(in, sig, depth + 1);
	} else if (type == '(' || type == '{') {
		skip_struct(in, sig, type == '(' ? ')' : '}', depth + 1);
	} else if (type == 's' || type == 'o') {
		(void)dbus_get_text(in);
	} else if (type == 'g') {
		(void)dbus_get_signature(in);
	} else if (strchr("ybnqiuxtdh", type)) {
		skip_fixed(in, align_of(type));
	} else {
		in->bad = true;
	}
}

void dbus_skip(struct dbus_in *in, struct view *signature)
{
	skip(in, signature, 0);
}

/* ---- the header ---- */

static void read_field(struct dbus_in *in, struct dbus_head *h)
{
	uint8_t code = dbus_get_u8(in);
	struct view type = dbus_get_signature(in), *text[] = { [PATH] = &h->path,
		[INTERFACE] = &h->interface,
		[MEMBER] = &h->member,
		[ERROR_NAME] = &h->error,
		[SENDER] = &h->sender };
	uint8_t kind = type.len == 1 ? *type.p : 0;

	if (code == REPLY_SERIAL && kind == 'u')
		h->reply_serial = dbus_get_u32(in);
	else if (code == SIGNATURE && kind == 'g')
		h->signature = dbus_get_signature(in);
	else if (code < ARRAY_LEN(text) && text[code] && (kind == 's' || kind == 'o'))
		*text[code] = dbus_get_text(in);
	else
		dbus_skip(in, &type);
}

static bool read_head(struct dbus_in *in, struct dbus_head *h)
{
	size_t end;

	*h = (struct dbus_head){ .kind = in->p[1] };
	in->at = 8;
	h->serial = dbus_get_u32(in);
	end = dbus_get_array(in, 8);
	while (dbus_has(in, end)) {
		dbus_get_align(in, 8);
		read_field(in, h);
	}
	return !in->bad && in->at == end && h->serial;
}

int dbus_parse(const uint8_t *p, size_t len, struct dbus_head *head, struct dbus_in *body,
	size_t *ret_used)
{
	struct dbus_in in = { .p = p };
	size_t body_len, fields, begin;

	if (len < FIXED_LEN)
		return DBUS_MORE;
	if ((p[0] != 'l' && p[0] != 'B') || p[3] != VERSION || !p[1])
		return -ERR_BAD_FORMAT;
	in.big = p[0] == 'B';
	body_len = in.big ? load_be32(p + 4) : load_le32(p + 4);
	fields = in.big ? load_be32(p + 12) : load_le32(p + 12);
	if (body_len > DBUS_MESSAGE_MAX || fields > DBUS_MESSAGE_MAX)
		return -ERR_TOO_BIG;
	begin = (FIXED_LEN + fields + 7) / 8 * 8;
	if (len < begin + body_len)
		return DBUS_MORE;
	in.len = FIXED_LEN + fields;
	if (!read_head(&in, head))
		return -ERR_BAD_FORMAT;
	*body = (struct dbus_in){ .p = p + begin, .len = body_len, .big = in.big };
	*ret_used = begin + body_len;
	return 0;
}
