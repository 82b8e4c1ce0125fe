package cli

// Nearest returns the one of names that is most like word, or "" where
// none is near: at most one change in three characters (a character put in,
// left out or replaced, or two neighbours swapped).
func Nearest(word string, names []string) string {
	nearest, limit := "", max(1, len([]rune(word))/3)
	for _, name := range names {
		if d := distance([]rune(word), []rune(name)); d <= limit {
			nearest, limit = name, d-1
		}
	}
	return nearest
}

// distance is the optimal string alignment distance of a and b.
func distance(a, b []rune) int {
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := range a {
		row[0] = i + 1
		for j := range b {
			replace := above[j]
			if a[i] != b[j] {
				replace++
			}
			row[j+1] = min(replace, above[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
