#include "http/router/match.h"
#include "base/text/text.h"

int64_t match_int(struct view segment)
{
	uint64_t v;

	if (text_u64((const char *)segment.p, segment.len, INT64_MAX, &v) < 0)
		return -1;
	return (int64_t)v;
}

static struct view take_segment(struct view *path)
{
	const uint8_t *slash = path->len ? memchr(path->p, '/', path->len) : NULL;
	struct view v = view_of(path->p, slash ? (size_t)(slash - path->p) : path->len);

	*path = view_of(path->p + v.len, path->len - v.len);
	return v;
}

/* "{name}", "{name:int}" or "{name...}" at *pattern, which goes behind it. */
static bool match_named(const char **pattern, struct view *path, struct http_param *ret)
{
	const char *begin = *pattern + 1;
	size_t len = strcspn(begin, "}"), name = strcspn(begin, ":.}");
	struct view kind = view_of(begin + name, len - name);

	*pattern = begin + len + 1;
	ret->name = view_of(begin, name);
	if (view_eq(kind, VIEW_LIT("..."))) {
		ret->value = *path;
		*path = view_of(path->p + path->len, 0);
		return true;
	}
	ret->value = take_segment(path);
	if (view_eq(kind, VIEW_LIT(":int")))
		return match_int(ret->value) >= 0;
	return ret->value.len > 0;
}

bool match_path(const char *pattern, struct view path, bool slash,
	struct http_param param[static HTTP_PARAMS_MAX], size_t *ret_n)
{
	*ret_n = 0;
	while (*pattern) {
		size_t n = strcspn(pattern, "{");

		if (path.len < n || memcmp(path.p, pattern, n) != 0)
			return false;
		pattern += n;
		path = view_of(path.p + n, path.len - n);
		if (*pattern && (*ret_n == HTTP_PARAMS_MAX ||
					!match_named(&pattern, &path, &param[(*ret_n)++])))
			return false;
	}
	return path.len == 0 || (slash && path.len == 1 && path.p[0] == '/');
}
