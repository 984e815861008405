// Package deep copies values with everything that they refer to.
package deep

import (
	"reflect"
	"time"
)

// Copier returns a function that copies a T so that the copy and the original share nothing that can be changed. It returns nil if it
// cannot vouch for that: if a T can have an interface, a channel, a function, or a struct with fields that are not exported (but for
// time.Time, which does not change).
//
// What two pointers share in the original, they do not share in the copy; a T that refers to itself in a circle cannot be copied.
func Copier[T any]() func(*T) *T {
	known := plans{}
	p := known.plan(reflect.TypeFor[T]())
	if !known.possible(p) {
		return nil
	}
	return func(original *T) *T {
		duplicate := new(T)
		*duplicate = *original
		p.deepen(reflect.ValueOf(duplicate).Elem())
		return duplicate
	}
}

// A plan says how values of one type are copied. An assignment has already copied what is flat; deepen replaces the rest, so that it is
// shared no longer.
type plan struct {
	flat, impossible bool
	deepen           func(v reflect.Value)
	parts            []*plan // of which it is made
}

// room is how many elements can be appended to the copy of a slice before it has to grow.
const room = 4

type plans map[reflect.Type]*plan

func (known plans) plan(t reflect.Type) *plan {
	if p := known[t]; p != nil {
		return p
	}
	p := &plan{deepen: func(reflect.Value) {}}
	known[t] = p // before its parts: a type can have itself as a part, behind a pointer, a slice or a map
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.Interface, reflect.UnsafePointer:
		p.impossible = true
	case reflect.Struct:
		known.structure(p, t)
	case reflect.Array:
		element := p.part(known.plan(t.Elem()))
		p.flat = element.flat
		p.deepen = element.deepenEach
	case reflect.Slice:
		element := p.part(known.plan(t.Elem()))
		p.deepen = func(v reflect.Value) {
			if v.IsNil() {
				return
			}
			// Who gets a copy often appends one element. Without room for it, append would copy all of them again.
			fresh := reflect.MakeSlice(t, v.Len(), v.Len()+room)
			reflect.Copy(fresh, v)
			element.deepenEach(fresh)
			v.Set(fresh)
		}
	case reflect.Pointer:
		target := p.part(known.plan(t.Elem()))
		p.deepen = func(v reflect.Value) {
			if v.IsNil() {
				return
			}
			fresh := reflect.New(t.Elem())
			fresh.Elem().Set(v.Elem())
			target.deepen(fresh.Elem())
			v.Set(fresh)
		}
	case reflect.Map:
		known.mapping(p, t)
	default:
		p.flat = true // numbers, booleans, and strings, whose bytes never change
	}
	return p
}

func (known plans) structure(p *plan, t reflect.Type) {
	if t == reflect.TypeFor[time.Time]() {
		p.flat = true
		return
	}
	deep := make(map[int]*plan)
	for i := range t.NumField() {
		if !t.Field(i).IsExported() {
			p.impossible = true
			return
		}
		if field := p.part(known.plan(t.Field(i).Type)); !field.flat {
			deep[i] = field
		}
	}
	p.flat = len(deep) == 0
	p.deepen = func(v reflect.Value) {
		for i, field := range deep {
			field.deepen(v.Field(i))
		}
	}
}

func (known plans) mapping(p *plan, t reflect.Type) {
	key, value := p.part(known.plan(t.Key())), p.part(known.plan(t.Elem()))
	p.impossible = !key.flat // a pointer would be another key
	p.deepen = func(v reflect.Value) {
		if v.IsNil() {
			return
		}
		fresh := reflect.MakeMapWithSize(t, v.Len())
		for each := v.MapRange(); each.Next(); {
			element := reflect.New(t.Elem()).Elem()
			element.Set(each.Value())
			value.deepen(element)
			fresh.SetMapIndex(each.Key(), element)
		}
		v.Set(fresh)
	}
}

func (p *plan) part(of *plan) *plan {
	p.parts = append(p.parts, of)
	return of
}

func (p *plan) deepenEach(v reflect.Value) {
	if p.flat {
		return
	}
	for i := range v.Len() {
		p.deepen(v.Index(i))
	}
}

// possible reports whether nothing of which p is made is impossible.
func (known plans) possible(p *plan) bool {
	seen := map[*plan]bool{}
	var look func(p *plan) bool
	look = func(p *plan) bool {
		if seen[p] {
			return true
		}
		seen[p] = true
		for _, part := range p.parts {
			if !look(part) {
				return false
			}
		}
		return !p.impossible
	}
	return look(p)
}
