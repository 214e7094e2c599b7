#include "hub/qr.h"

#include "os/term/term.h"

#include <errno.h>
#include <qrencode.h>

enum { MARGIN = 2 }; /* light modules around it, without which readers do not find it */

static bool dark(const QRcode *q, int x, int y)
{
	return x >= 0 && y >= 0 && x < q->width && y < q->width && q->data[y * q->width + x] & 1;
}

int qr_print(const char *text, FILE *out)
{
	QRcode *q = QRcode_encodeString(text, 0, QR_ECLEVEL_L, QR_MODE_8, 1);

	if (!q)
		return -errno;
	for (int y = -MARGIN; y < q->width + MARGIN; y += 2) {
		term_own(out, true);
		fputs("\033[30;47m", out);
		for (int x = -MARGIN; x < q->width + MARGIN; x++) {
			bool up = dark(q, x, y), down = dark(q, x, y + 1);

			fputs(up && down ? "\xe2\x96\x88"
				: up     ? "\xe2\x96\x80"
				: down   ? "\xe2\x96\x84"
					 : " ",
				out);
		}
		fputs("\033[0m\n", out);
		term_own(out, false);
	}
	QRcode_free(q);
	return 0;
}
