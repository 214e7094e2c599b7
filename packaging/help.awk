# Reads what --help prints, of any of our programs.
#   want=commands  NAME<TAB>WHAT of each subcommand behind the words in path; a page that lists the subcommands of all levels
#                  is understood, and one for each level
#   want=flags     NAME<TAB>WHAT<TAB>FLAG WITH ITS VALUE
function finish() {
	if (flag != "" && want == "flags" && !(flag in seen)) {
		seen[flag] = 1
		print flag "\t" what "\t" spec
	}
	flag = ""
}
/^(SUBCOMMANDS|Commands:)/ { finish(); commands = 1; levels = /^Commands/; next }
/^ *$/ { finish(); commands = 0; next }
commands && want == "commands" && /^  [a-z]/ {
	match($0, /^  [^ ]+( [^ ]+)*/)
	n = split(substr($0, 3, RLENGTH - 2), name, " ")
	text = substr($0, RLENGTH + 1)
	sub(/^.*  +/, "", text)
	depth = levels ? split(path, before, " ") : 0
	for (i = 1; i <= depth && i <= n; i++)
		if (name[i] != before[i])
			next
	if (n > depth && name[depth + 1] ~ /^[a-z]/ && !(name[depth + 1] in seen)) {
		seen[name[depth + 1]] = 1
		print name[depth + 1] "\t" (n > depth + 1 && name[depth + 2] ~ /^[a-z]/ ? "" : text)
	}
	next
}
/^  -/ {
	finish()
	flag = $1
	sub(/,$/, "", flag)
	spec = substr($0, 3)
	what = ""
	if (match(spec, /  +[^ ]/)) {
		what = substr(spec, RSTART + RLENGTH - 1)
		spec = substr(spec, 1, RSTART - 1)
	}
	next
}
flag != "" { sub(/^[ \t]+/, ""); what = what (what == "" ? "" : " ") $0 }
END { finish() }
