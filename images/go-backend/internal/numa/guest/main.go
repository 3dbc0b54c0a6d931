// Command guest is process 1 of the virtual machine in which ci/numa_guest.py runs tests: it loads the kernel modules,
// runs the tests about nodes of every program in /tests, prints how each ended and switches the machine off.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(); err != nil {
		fmt.Println("guest: error:", err)
	}
	unix.Sync()
	fmt.Println("guest: off:", unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF))
}

func run() error {
	mounts := []struct{ kind, target string }{
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"},
	}
	for _, mount := range mounts {
		if err := errors.Join(os.MkdirAll(mount.target, 0o755), unix.Mount(mount.kind, mount.target, mount.kind, 0, "")); err != nil {
			return fmt.Errorf("mount %s: %w", mount.target, err)
		}
	}
	if err := loadModules(); err != nil {
		return err
	}
	programs, err := filepath.Glob("/tests/*")
	if err != nil {
		return err
	}
	for _, program := range programs {
		command := exec.Command(program, "-test.v", "-test.run=Node", "-test.timeout=2m")
		command.Stdout, command.Stderr = os.Stdout, os.Stdout
		command.Dir = "/tmp"
		err := command.Run()
		fmt.Printf("guest: %s: %s\n", filepath.Base(program), result(err))
	}
	return nil
}

func result(err error) string {
	if err == nil {
		return "ok"
	}
	return err.Error()
}

// loadModules takes the order from the file that lists them, a path each.
func loadModules() error {
	list, err := os.ReadFile("/modules/order")
	if err != nil {
		return err
	}
	for path := range strings.FieldsSeq(string(list)) {
		if err := loadModule(path); err != nil {
			return fmt.Errorf("load %s: %w", path, err)
		}
	}
	return nil
}

func loadModule(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return unix.FinitModule(int(file.Fd()), "", 0)
}
