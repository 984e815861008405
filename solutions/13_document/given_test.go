package document_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example/turnstile/exercises/04_json_files/keys"
	"example/turnstile/exercises/06_atomic_replace/place"
	"example/turnstile/exercises/11_locked_file/filelock"
	"example/turnstile/exercises/13_document/deep"
	"example/turnstile/exercises/13_document/files"
	"example/turnstile/exercises/13_document/format"
	"example/turnstile/exercises/13_document/kept"
	"example/turnstile/exercises/13_document/lockfile"
	"example/turnstile/internal/lab"
	document "example/turnstile/solutions/13_document"
)

// What the given packages promise beyond what the exercise's tests ask.

func whole(content string) string {
	return `{"version":1,"generation":7,"content":` + content + "}\n"
}

func encoded[T any](content T) (data []byte, again any, err error) {
	data, decoded, err := format.Encode("x", 7, &content, nil)
	if err != nil {
		return nil, nil, err
	}
	return data, *decoded, nil
}

// A boastful writes a field that it does not have.
type boastful struct{ A int }

func (b boastful) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `{"A":%d,"Boast":true}`, b.A), nil
}

// A modest is boastful, and reads what it writes.
type modest struct{ boastful }

func (m *modest) UnmarshalJSON(data []byte) error {
	type plain boastful // without MarshalJSON; json.Unmarshal ignores the field that a plain does not have
	return json.Unmarshal(data, (*plain)(&m.boastful))
}

func TestFormat(t *testing.T) {
	t.Parallel()
	t.Run("decodes what it has encoded", func(t *testing.T) {
		t.Parallel()
		content := map[string]int{"a": 1, `quote " and \`: 2, "é": 3}
		data, again, err := format.Encode("x", 7, &content, nil)
		require.NoError(t, err)
		require.Equal(t, content, *again)
		generation, decoded, err := format.Decode[map[string]int]("x", data, nil)
		require.NoError(t, err)
		require.EqualValues(t, 7, generation)
		require.Equal(t, content, *decoded)
		generation, known := format.Generation(data[:format.HeaderSize])
		require.True(t, known)
		require.EqualValues(t, 7, generation)
	})
	t.Run("encodes no field that it would not know, wherever a MarshalJSON writes it", func(t *testing.T) {
		t.Parallel()
		type deeper struct {
			Self *deeper // a circle of types
			Map  map[string][][1]*boastful
		}
		refused := func(_ []byte, _ any, err error) { t.Helper(); require.ErrorContains(t, err, `unknown field "Boast"`) }
		refused(encoded(boastful{1}))
		refused(encoded([]boastful{{1}}))
		refused(encoded(struct{ boastful }{boastful{1}}))
		refused(encoded(deeper{nil, map[string][][1]*boastful{"a": {{{1}}}}}))
		for range 2 { // what is known of a type is remembered
			refused(encoded(deeper{&deeper{nil, map[string][][1]*boastful{"a": {{{1}}}}}, nil}))
		}
		for _, content := range []any{deeper{}, boastful{1}, map[string]any{"a": &boastful{1}}} { // in an interface, every field has a place
			_, _, err := encoded(content)
			require.NoError(t, err)
		}
		_, again, err := encoded(modest{boastful{1}})
		require.NoError(t, err)
		require.Equal(t, modest{boastful{1}}, again)
	})
	t.Run("knows no generation of other forms", func(t *testing.T) {
		t.Parallel()
		for _, header := range []string{
			"", "{}", `{"version":2,"generation":7,"content":{}}`, `{"version":1,"generation":-7,"content":{}}`, `{"version":1,"generation":7`,
			`{"version":1,"generation":,"content":{}}`, `{"version":1, "generation":7,"content":{}}`,
			`{"version":1,"generation":99999999999999999999,"content":{}}`,
		} {
			_, known := format.Generation([]byte(header))
			require.False(t, known, header)
		}
	})
	t.Run("finds keys that are twice in an object as lesson 04 does", func(t *testing.T) {
		t.Parallel()
		many := make([]string, 0, 40)
		for i := range 40 {
			many = append(many, fmt.Sprintf(`"key %d":{"a":[1,{"a":2}]}`, i))
		}
		for _, content := range []string{
			`{}`, `[]`, `{"a":1}`, `{"a":1,"a":2}`, `{"a":1,"A":2}`, `{"a":{"a":1},"b":{"a":1}}`, `[{"a":1},{"a":1}]`, `{"b":[{"a":1,"b":2,"a":3}]}`,
			`{"a":"a","b":"a"}`, `{"\u0061":1,"a":2}`, `{"K":1,"\u212a":2}`, `{"K":1,"K":2}`, `{"é":1,"É":2}`,
			`{"a\"":1,"a\\\"":2}`, `{"a\"":1,"a\u0022":2}`,
			`{"a":"{\"a\":1,\"a\":2}"}`, `{"a":[],"b":{},"c":[[]],"A":0}`, `{"\\":1,"\\":2}`, `{"":1,"":2}`,
			"{" + strings.Join(many, ",") + "}", "{" + strings.Join(many, ",") + `,"KEY 7":1}`, "{" + strings.Join(many, ",") + `,"k\u0065y 39":1}`,
		} {
			_, _, err := format.Decode[json.RawMessage]("x", []byte(whole(content)), nil)
			require.Equal(t, keys.Distinct([]byte(content)) == nil, err == nil, content)
		}
	})
	t.Run("a newer version is a newer version, whatever else is in it", func(t *testing.T) {
		t.Parallel()
		_, _, err := format.Decode[int]("x", []byte(`{"version":2,"a":1,"a":2}`), nil)
		var newer *format.VersionError
		require.ErrorAs(t, err, &newer)
		require.Equal(t, 2, newer.Version)
	})
}

func TestDeep(t *testing.T) {
	t.Parallel()
	type leaf struct {
		Name  string
		Since time.Time
	}
	type tree struct {
		Leaf     leaf
		Pointer  *leaf
		List     []leaf
		Pointers []*leaf
		Map      map[string][]int
		Array    [2][]int
		Raw      json.RawMessage
		Kids     []*tree
		Nil      map[string]int
	}
	t.Run("copies everything", func(t *testing.T) {
		t.Parallel()
		make := func() *tree {
			return &tree{
				leaf{"a", time.Unix(1, 2)},
				&leaf{"b", time.Unix(3, 4)},
				[]leaf{{Name: "c"}},
				[]*leaf{{Name: "d"}, nil},
				map[string][]int{"e": {1}},
				[2][]int{{2}, nil},
				json.RawMessage("{}"),
				[]*tree{{Leaf: leaf{Name: "f"}}},
				nil,
			}
		}
		original := make()
		duplicate := deep.Copier[tree]()(original)
		require.Equal(t, original, duplicate)
		duplicate.Leaf.Name, duplicate.Pointer.Name, duplicate.List[0].Name, duplicate.Pointers[0].Name = "x", "x", "x", "x"
		duplicate.Map["e"][0], duplicate.Array[0][0], duplicate.Raw[0], duplicate.Kids[0].Leaf.Name = 9, 9, 'x', "x"
		duplicate.Map["new"] = nil
		require.Equal(t, make(), original)
	})
	t.Run("refuses what it cannot vouch for", func(t *testing.T) {
		t.Parallel()
		require.Nil(t, deep.Copier[any]())
		require.Nil(t, deep.Copier[struct{ A []any }]())
		require.Nil(t, deep.Copier[big.Int]())
		require.Nil(t, deep.Copier[struct{ A *big.Int }]())
		require.Nil(t, deep.Copier[struct{ F func() }]())
		require.Nil(t, deep.Copier[map[*int]string]())
		require.NotNil(t, deep.Copier[map[time.Time]string]())
	})
}

func TestKept(t *testing.T) {
	t.Parallel()
	path := lab.WriteFile(t, "d.json", whole(`{"a":[1]}`))
	content := map[string][]int{"a": {1}}
	c := kept.New[map[string][]int]()
	_, _, ok := c.Get(path)
	require.False(t, ok)
	c.Put(path, &content, 6)
	_, _, ok = c.Get(path)
	require.False(t, ok, "another generation than the file's")
	c.Put(path, &content, 7)
	got, generation, ok := c.Get(path)
	require.True(t, ok)
	require.EqualValues(t, 7, generation)
	own := c.Own(got)
	(*own)["a"][0] = 9
	draft, err := c.Draft(got)
	require.NoError(t, err)
	require.Equal(t, map[string][]int{"a": {1}}, *draft)
	c.Drop()
	_, _, ok = c.Get(path)
	require.False(t, ok)

	other := kept.New[any]()
	var any any = map[string]any{"a": 1.0}
	other.Put(path, &any, 7)
	_, _, ok = other.Get(path)
	require.False(t, ok, "a type that cannot be copied is not kept")
	copied, err := other.Draft(&any)
	require.NoError(t, err)
	require.Equal(t, any, *copied)
	require.NotEqual(t, reflect.ValueOf(any).Pointer(), reflect.ValueOf(*copied).Pointer())
}

// A type that no Document can keep in memory works all the same.
func TestContentOfAnyType(t *testing.T) {
	t.Parallel()
	path := lab.Path(t, "d.json")
	d := document.New(path, document.Options[any]{})
	var first any = map[string]any{"count": 0.0}
	require.NoError(t, d.Create(t.Context(), &first))
	for range 3 {
		require.NoError(t, d.Update(t.Context(), func(content *any) error {
			object, _ := (*content).(map[string]any)
			count, _ := object["count"].(float64)
			object["count"] = count + 1
			return nil
		}))
	}
	require.NoError(t, d.View(t.Context(), func(content *any) error {
		require.Equal(t, map[string]any{"count": 3.0}, *content)
		return nil
	}))
}

func TestFiles(t *testing.T) {
	t.Parallel()
	t.Run("the backup is a copy where the kernel makes no links", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, "d.json", "old")
		at, err := place.Find(path)
		require.NoError(t, err)
		var replaced error
		made, names := 0, []string(nil)
		for ; ; made++ { // look for linkat among the calls
			names, err = lab.RefuseOne(made, syscall.EPERM, func() { replaced = files.Replace(at, []byte("new"), 0o644, path+".bak") })
			lab.RequireRefuse(t, err)
			if made >= len(names) {
				t.Skip("this system makes no links")
			}
			if names[made] == "linkat" {
				break
			}
			require.NoError(t, os.WriteFile(path, []byte("old"), 0o644))
			_ = os.Remove(path + ".bak")
			at, err = place.Find(path)
			require.NoError(t, err)
		}
		require.NoError(t, replaced)
		for name, want := range map[string]string{path: "new", path + ".bak": "old"} {
			content, err := os.ReadFile(name)
			require.NoError(t, err)
			require.Equal(t, want, string(content))
		}
	})
	t.Run("a copy in the making has a name that Sweep knows", func(t *testing.T) {
		t.Parallel()
		path := lab.WriteFile(t, strings.Repeat("d", 250), "damaged") // no link can be called PATH.damaged-1, so a copy is tried
		at, err := place.Find(path)
		require.NoError(t, err)
		var failed error
		copies := 0
		lab.RequireRefuse(t, lab.Watch(func() { _, failed = files.SetAside(path) }, func(string) {
			entries, _ := os.ReadDir(at.Dir())
			for _, entry := range entries {
				if at.Beside(entry.Name()) != path {
					copies++
					if !at.IsTemp(entry.Name()) {
						t.Error("left by a process crash, no Recover would remove it: " + entry.Name())
					}
				}
			}
		}))
		require.ErrorIs(t, failed, syscall.ENAMETOOLONG)
		require.NotZero(t, copies)
	})
	t.Run("a Finder follows links that lead elsewhere meanwhile", func(t *testing.T) {
		t.Parallel()
		dir, err := filepath.EvalSymlinks(t.TempDir())
		require.NoError(t, err)
		for _, version := range []string{"v1", "v2"} {
			require.NoError(t, os.MkdirAll(filepath.Join(dir, version, "inner"), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(dir, version, "d.json"), []byte(version), 0o644))
		}
		current, path := filepath.Join(dir, "current"), filepath.Join(dir, "current", "d.json")
		if err := os.Symlink("v1", current); err != nil {
			t.Skip("this user may make no links: ", err)
		}
		var f files.Finder
		find := func(want string) {
			t.Helper()
			for range 2 { // the second time with what is remembered
				at, err := f.Find(path)
				require.NoError(t, err)
				require.Equal(t, filepath.Join(dir, want), at.Path)
				info, err := os.Stat(path)
				require.Equal(t, err == nil, at.Old != nil)
				require.True(t, err != nil || os.SameFile(info, at.Old))
			}
		}
		find("v1/d.json")
		require.NoError(t, os.Remove(current))
		require.NoError(t, os.Symlink("v2", current))
		find("v2/d.json")
		require.NoError(t, os.Remove(filepath.Join(dir, "v2", "d.json")))
		find("v2/d.json")
		require.NoError(t, os.Symlink("../v1/d.json", filepath.Join(dir, "v2", "d.json")))
		find("v1/d.json")
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "v2")))
		_, err = f.Find(path)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.NoError(t, os.Remove(current))
		require.NoError(t, os.Symlink("v1/inner", current))
		if runtime.GOOS != "windows" { // where ".." is resolved on paper
			path = current + "/../d.json"
			find("v1/d.json")
		}
	})
	t.Run("a path stays absolute, and is not cleaned", func(t *testing.T) {
		t.Parallel()
		working, err := os.Getwd()
		require.NoError(t, err)
		require.Equal(t, filepath.Join(working, "d.json"), files.Absolute("d.json"))
		require.Empty(t, files.Absolute(""))
		if runtime.GOOS != "windows" {
			require.Equal(t, working+"/a/../d.json", files.Absolute("a/../d.json"))
			require.Equal(t, "/a/../d.json", files.Absolute("/a/../d.json"))
		}
	})
}

func TestLockfile(t *testing.T) {
	t.Parallel()
	path := lab.Path(t, "d.json.lock")
	held, err := lockfile.Lock(t.Context(), path, filelock.Exclusive, 0o600)
	require.NoError(t, err)
	ctx, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	_, err = lockfile.Lock(ctx, path, filelock.Shared, 0o600)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, held.Unlock())
	require.ErrorIs(t, held.Unlock(), fs.ErrClosed)
	one, err := lockfile.Lock(t.Context(), path, filelock.Shared, 0o600)
	require.NoError(t, err)
	two, err := lockfile.Lock(t.Context(), path, filelock.Shared, 0o600)
	require.NoError(t, err)
	require.NoError(t, errors.Join(one.Unlock(), two.Unlock()))
	_, err = lockfile.Lock(t.Context(), filepath.Join(path, "nowhere"), filelock.Exclusive, 0o600)
	require.Error(t, err)
}
