package format

import (
	"encoding/json"
	"reflect"
	"sync"
)

var (
	marshaler   = reflect.TypeFor[json.Marshaler]()
	unmarshaler = reflect.TypeFor[json.Unmarshaler]()
	known       sync.Map // what knowsItsFields has found, by type
)

// knowsItsFields reports whether encoding/json finds no unknown field when it decodes, as a t, what it has encoded of a t. Only a
// MarshalJSON can write one; if there is an UnmarshalJSON beside it, that decides what becomes of the field.
func knowsItsFields(t reflect.Type) bool {
	if found, ok := known.Load(t); ok {
		return found.(bool)
	}
	found := !mayMeetUnknown(t, make(map[reflect.Type]bool))
	known.Store(t, found)
	return found
}

func mayMeetUnknown(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	if pointer := reflect.PointerTo(t); pointer.Implements(marshaler) || pointer.Implements(unmarshaler) {
		return !pointer.Implements(unmarshaler)
	}
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			if mayMeetUnknown(t.Field(i).Type, seen) {
				return true
			}
		}
		return false
	case reflect.Array, reflect.Slice, reflect.Pointer, reflect.Map:
		return mayMeetUnknown(t.Elem(), seen)
	default: // what an interface holds is decoded as a map, which has a place for every field
		return false
	}
}
