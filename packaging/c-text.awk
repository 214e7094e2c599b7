# A text as a string of C. A backslash in a replacement is written four times: the string takes a half, gsub another.
{
	gsub(/\\/, "\\\\\\\\")
	gsub(/"/, "\\\\\"")
	gsub(/\t/, "\\\\t")
	print "\"" $0 "\\n\""
}
