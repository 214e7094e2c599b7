/* proto/hujson/extra: what stands between the values of a HuJSON text: blanks and comments. */
#ifndef WARREN_PROTO_HUJSON_EXTRA_H
#define WARREN_PROTO_HUJSON_EXTRA_H

#include "base/arena/arena.h"
#include "base/buf/buf.h"
#include "base/err/err.h"

bool extra_is_blank(uint8_t c);
bool extra_has_lf(struct view v);
bool extra_has_comment(struct view v);
bool extra_comment_begins(struct view v);
size_t extra_comment_len(
	struct view v); /* of the one at the front: without the line feed, or up to the end */
size_t extra_leading(struct view v); /* blanks at the front */
size_t extra_trimmed(struct view v); /* length without the blanks at the end */

static inline struct view view_from(struct view v, size_t n)
{
	return view_of(v.p + n, v.len - n);
}

struct extent {
	size_t first, last; /* lengths of the first and the last line */
	bool multi;
};
struct extent extra_extent(struct view v); /* when it is written canonically */

/* How it is to stand. */
enum {
	LEAD_LF = 1,        /* begins with a line feed, if it has none anywhere */
	TRAIL_LF = 2,       /* ends with a line feed */
	NO_BLANK_FIRST = 4, /* no empty line at its front */
	NO_BLANK_LAST = 8,  /* nor at its end */
	SPACE = 16,         /* at least a space */
	OUTDENT = 32,       /* what follows stands one level less deep */
};
/* In its canonical form, in the arena. -ENOMEM, -ERR_TOO_BIG. */
MUST_USE int extra_rewrite(struct arena *mem, struct view *v, unsigned depth, int flags);
MUST_USE int extra_join(struct arena *mem, struct view a, struct view b, struct view *ret);
/* What was built, in the arena. */
MUST_USE int extra_keep(struct arena *mem, const struct buf *b, struct view *ret);

#endif
