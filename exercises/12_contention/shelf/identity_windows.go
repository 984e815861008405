package shelf

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

func identify(path string) (id identity, err error) {
	file, err := os.Open(path)
	if err != nil {
		return identity{}, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(file.Fd()), &info); err != nil {
		return identity{}, &os.PathError{Op: "GetFileInformationByHandle", Path: path, Err: err}
	}
	return identity{uint64(info.VolumeSerialNumber), uint64(info.FileIndexHigh)<<32 | uint64(info.FileIndexLow)}, nil
}
