package limits

import (
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// module is the path of the module whose source is read.
const module = "goldm/"

// bound is how a constant is named that bounds something.
var bound = regexp.MustCompile(`^[mM]ax[A-Z]|(^|[a-z])(Limit|Within|Grace)$|^(limit|within|grace)$`)

// forTests are folders that nothing but tests uses.
var forTests = []string{"test", "internal/testbed", "internal/cli/clitest", "internal/x11/xtest", "session/internal/sshtest"}

// isForTests reports whether a folder is one of these, or below.
func isForTests(folder string) bool {
	return slices.ContainsFunc(forTests, func(t string) bool { return folder == t || strings.HasPrefix(folder, t+"/") })
}

// found is a constant of the source.
type found struct {
	name, value string
	bounds      bool // by its name
	at          token.Position
}

// source reads the packages of the module below a folder.
type source struct {
	root     string
	files    *token.FileSet
	standard types.Importer
	checked  map[string]*types.Package
	found    map[string][]found // by folder
}

func newSource(root string) *source {
	files := token.NewFileSet()
	return &source{
		root: root, files: files, standard: importer.ForCompiler(files, "source", nil),
		checked: make(map[string]*types.Package), found: make(map[string][]found),
	}
}

// read reads all packages.
func (s *source) read() error {
	return filepath.WalkDir(s.root, func(path string, d fs.DirEntry, err error) error {
		folder, relErr := filepath.Rel(s.root, path)
		if err = errors.Join(err, relErr); err != nil || !d.IsDir() {
			return err
		}
		if isForTests(folder) || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && folder != "." {
			return filepath.SkipDir
		}
		_, err = s.check(folder)
		return err
	})
}

// Import is that of types.Importer. What no constant here needs is an empty package: the errors that follow from that are
// ignored.
func (s *source) Import(path string) (*types.Package, error) {
	if folder, ours := strings.CutPrefix(path, module); ours {
		return s.check(folder)
	}
	if path == "time" || path == "math" || path == "unicode/utf8" {
		return s.standard.Import(path)
	}
	empty := types.NewPackage(path, filepath.Base(path))
	empty.MarkComplete()
	return empty, nil
}

// check reads one folder's package, without its tests; a folder without any is an empty one.
func (s *source) check(folder string) (*types.Package, error) {
	if p := s.checked[folder]; p != nil {
		return p, nil
	}
	dir := filepath.Join(s.root, folder)
	listed, err := build.ImportDir(dir, 0)
	var none *build.NoGoError
	if err != nil && !errors.As(err, &none) {
		return nil, err
	}
	var files []*ast.File
	for _, name := range slices.Concat(listed.GoFiles, listed.CgoFiles) {
		file, err := parser.ParseFile(s.files, filepath.Join(dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	info := types.Info{Defs: make(map[*ast.Ident]types.Object)}
	config := types.Config{Importer: s, FakeImportC: true, Error: func(error) {}}
	s.checked[folder], _ = config.Check(module+folder, s.files, files, &info)
	return s.checked[folder], s.collect(folder, info.Defs)
}

// collect keeps the constants of a package.
func (s *source) collect(folder string, defs map[*ast.Ident]types.Object) error {
	for _, object := range defs {
		c, ok := object.(*types.Const)
		if !ok {
			continue
		}
		f := found{name: c.Name(), bounds: bound.MatchString(c.Name()), at: s.files.Position(c.Pos())}
		if c.Val().Kind() == constant.Unknown {
			if f.bounds {
				return fmt.Errorf("%v: the value of %s depends on a package that is not read: see Import in test/limits", f.at, f.name)
			}
			continue
		}
		f.value = format(c)
		s.found[folder] = append(s.found[folder], f)
	}
	slices.SortFunc(s.found[folder], func(a, b found) int { return strings.Compare(a.name, b.name) })
	return nil
}

// format writes a value as people do.
func format(c *types.Const) string {
	n, exact := constant.Int64Val(constant.ToInt(c.Val()))
	switch {
	case !exact:
		return c.Val().ExactString()
	case c.Type().String() == "time.Duration":
		return duration(time.Duration(n))
	case n >= 1<<30 && n%(1<<30) == 0:
		return fmt.Sprintf("%d Gi", n>>30)
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d Mi", n>>20)
	case n >= 4<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d Ki", n>>10)
	}
	return strconv.FormatInt(n, 10)
}

func duration(d time.Duration) string {
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= 2*time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d >= time.Second && d%time.Second == 0:
		return fmt.Sprintf("%d s", d/time.Second)
	case d%time.Millisecond == 0:
		return fmt.Sprintf("%d ms", d/time.Millisecond)
	}
	return d.String()
}
