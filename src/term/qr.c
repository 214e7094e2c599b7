#include "term/qr.h"

#include "base/err/err.h"
#include "base/text/text.h"
#include "term/term.h"

#include <errno.h>
#include <qrencode.h>
#include <stdlib.h>
#include <string.h>

/* Dots of light around the code, without which readers do not find it; pixels a dot. */
enum { QUIET = 4, QUIET_ON_PAPER = 2, SCALE = 4, PNG_MAX = 1 << 20 };

static bool shows_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *v = getenv(names[i]);
		if (v && *v)
			return strcasestr(v, "UTF-8") || strcasestr(v, "UTF8");
	}
	return false;
}

int qr_style_parse(const char *name, enum qr_style *ret)
{
	static const struct {
		const char *name;
		enum qr_style style;
	} styles[] = { { "ascii", QR_ASCII }, { "large", QR_LARGE }, { "small", QR_SMALL } };

	if (strcmp(name, "auto") == 0) {
		*ret = shows_utf8() ? QR_SMALL : QR_ASCII;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(styles); i++) {
		if (strcmp(styles[i].name, name) != 0)
			continue;
		*ret = styles[i].style;
		return 0;
	}
	return -ERR_BAD_VALUE;
}

/* Dark? Places outside the code are the quiet zone around it. */
static bool dark(const QRcode *q, int x, int y)
{
	return x >= 0 && y >= 0 && x < q->width && y < q->width && (q->data[y * q->width + x] & 1);
}

/* Light is what is drawn: terminals are dark as a rule. */
static void print_wide(const QRcode *q, const char *light, FILE *out)
{
	for (int y = -QUIET; y < q->width + QUIET; y++) {
		for (int x = -QUIET; x < q->width + QUIET; x++)
			fputs(dark(q, x, y) ? "  " : light, out);
		fputc('\n', out);
	}
}

/* Two dots a cell, one above the other. On paper it is the dark ones that are drawn, and what is below the last line is light. */
static void print_half(const QRcode *q, bool paper, FILE *out)
{
	static const char *const cells[] = { "█", "▀", "▄",
		" " }; /* upper dark: 2, lower dark: 1 */
	int quiet = paper ? QUIET_ON_PAPER : QUIET;

	for (int y = -quiet; y < q->width + quiet; y += 2) {
		for (int x = -quiet; x < q->width + quiet; x++) {
			bool below = dark(q, x, y + 1) || (!paper && y + 1 >= q->width + quiet);
			int cell = 2 * dark(q, x, y) + below;

			fputs(cells[paper ? 3 - cell : cell], out);
		}
		fputs(paper ? "\033[0m\n" : "\n", out);
		if (paper && y + 2 < q->width + quiet)
			fputs("\033[30;47m", out);
	}
}

static void print_paper(const QRcode *q, FILE *out)
{
	term_own(out, true);
	fputs("\033[30;47m", out);
	print_half(q, true, out);
	term_own(out, false);
}

int qr_print(const char *text, enum qr_style style, FILE *out)
{
	QRcode *q = QRcode_encodeString(
		text, 0, style == QR_PAPER ? QR_ECLEVEL_L : QR_ECLEVEL_M, QR_MODE_8, 1);

	if (!q)
		return -errno;
	switch (style) {
	case QR_ASCII:
		print_wide(q, "##", out);
		break;
	case QR_LARGE:
		print_wide(q, "██", out);
		break;
	case QR_SMALL:
		print_half(q, false, out);
		break;
	case QR_PAPER:
		print_paper(q, out);
		break;
	}
	if (style != QR_PAPER)
		fputc('\n', out);
	QRcode_free(q);
	return 0;
}

/* ---- PNG (RFC 2083): one bit a pixel, the picture stored without compression ---- */

static uint32_t crc32_of(const uint8_t *p, size_t len)
{
	uint32_t c = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		c ^= p[i];
		for (int k = 0; k < 8; k++)
			c = c & 1 ? 0xedb88320 ^ c >> 1 : c >> 1;
	}
	return ~c;
}

static uint32_t adler32_of(const uint8_t *p, size_t len)
{
	uint32_t a = 1, b = 0;

	for (size_t i = 0; i < len; i++) {
		a = (a + p[i]) % 65521;
		b = (b + a) % 65521;
	}
	return b << 16 | a;
}

static int put_be32(struct buf *out, uint32_t v)
{
	uint8_t b[4];

	store_be32(b, v);
	return buf_append(out, b, sizeof(b));
}

static int put_chunk(struct buf *out, const char *type, const struct buf *data)
{
	size_t at;
	int rc = put_be32(out, (uint32_t)buf_len(data));

	at = buf_len(out);
	if (rc == 0)
		rc = buf_append_str(out, type);
	if (rc == 0)
		rc = buf_append(out, buf_data(data), buf_len(data));
	return rc < 0 ? rc : put_be32(out, crc32_of(buf_data(out) + at, buf_len(out) - at));
}

static int put_rows(const QRcode *q, struct buf *rows)
{
	int side = (q->width + 2 * QUIET) * SCALE;
	uint8_t row[1 + 256 * SCALE / 8];
	int rc = 0;

	for (int y = 0; y < side && rc == 0; y++) {
		size_t n = 1 + (size_t)(side + 7) / 8;

		memset(row, 0, sizeof(row)); /* the first byte: no filter */
		for (int x = 0; x < side; x++)
			if (!dark(q, x / SCALE - QUIET, y / SCALE - QUIET))
				row[1 + x / 8] |= (uint8_t)(0x80 >> x % 8);
		rc = buf_append(rows, row, n);
	}
	return rc;
}

/* zlib (RFC 1950) around stored blocks (RFC 1951, 3.2.4). */
static int store(const struct buf *rows, struct buf *out)
{
	const uint8_t *p = buf_data(rows);
	size_t left = buf_len(rows);
	int rc = buf_append(out, "\x78\x01", 2);

	while (left && rc == 0) {
		size_t n = MIN_OF(left, (size_t)65535);
		uint8_t head[5] = { n == left, (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)~n,
			(uint8_t)(~n >> 8) };

		rc = buf_append(out, head, sizeof(head));
		if (rc == 0)
			rc = buf_append(out, p, n);
		p += n;
		left -= n;
	}
	return rc < 0 ? rc : put_be32(out, adler32_of(buf_data(rows), buf_len(rows)));
}

static int put_png(const QRcode *q, struct buf *out)
{
	uint32_t side = (uint32_t)((q->width + 2 * QUIET) * SCALE);
	struct buf rows, part;
	int rc;

	buf_init(&rows, PNG_MAX);
	buf_init(&part, PNG_MAX);
	rc = buf_append(out, "\x89PNG\r\n\x1a\n", 8);
	if (rc == 0)
		rc = put_be32(&part, side);
	if (rc == 0)
		rc = put_be32(&part, side);
	if (rc == 0)
		rc = buf_append(&part, "\x01\x00\x00\x00\x00", 5); /* one bit, grey */
	if (rc == 0)
		rc = put_chunk(out, "IHDR", &part);
	buf_clear(&part);
	if (rc == 0)
		rc = put_rows(q, &rows);
	if (rc == 0)
		rc = store(&rows, &part);
	if (rc == 0)
		rc = put_chunk(out, "IDAT", &part);
	buf_clear(&part);
	if (rc == 0)
		rc = put_chunk(out, "IEND", &part);
	buf_fini(&part);
	buf_fini(&rows);
	return rc;
}

int qr_data_url(const char *text, struct buf *out)
{
	QRcode *q = QRcode_encodeString(text, 0, QR_ECLEVEL_M, QR_MODE_8, 1);
	struct buf png;
	uint8_t *to;
	int rc;

	if (!q)
		return -errno;
	buf_init(&png, PNG_MAX);
	rc = put_png(q, &png);
	if (rc == 0)
		rc = buf_append_str(out, "data:image/png;base64,");
	if (rc == 0)
		rc = buf_reserve(out, BASE64_LEN(buf_len(&png)) + 1, &to);
	if (rc == 0) {
		base64_encode(buf_data(&png), buf_len(&png), (char *)to);
		buf_commit(out, BASE64_LEN(buf_len(&png)));
	}
	buf_fini(&png);
	QRcode_free(q);
	return rc;
}
