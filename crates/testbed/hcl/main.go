// hclkit checks a file of OpenTofu or Terraform with HashiCorp's own parser, without any provider: its syntax, its format, and that each
// variable, local value, data source and resource that it uses is in it. Then it prints the file as JSON. An expression that depends on
// something else is printed as its text.
//
//	hclkit FILE
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

func main() {
	if len(os.Args) != 2 {
		fail("usage: hclkit FILE")
	}
	source, err := os.ReadFile(os.Args[1])
	if err != nil {
		fail("%v", err)
	}
	file, problems := hclsyntax.ParseConfig(source, os.Args[1], hcl.InitialPos)
	if problems.HasErrors() {
		fail("%v", problems)
	}
	if !bytes.Equal(hclwrite.Format(source), source) {
		fail("%s is not formatted: tofu fmt", os.Args[1])
	}
	body := file.Body.(*hclsyntax.Body)
	check(body, declared(body))
	out, err := json.MarshalIndent(tree(body, source), "", "  ")
	if err != nil {
		fail("%v", err)
	}
	fmt.Println(string(out))
}

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(1)
}

// declared has every name that an expression may use: var.NAME, local.NAME, data.TYPE.NAME, TYPE.NAME.
func declared(body *hclsyntax.Body) map[string]bool {
	names := map[string]bool{}
	for _, block := range body.Blocks {
		labels := block.Labels
		switch {
		case block.Type == "variable" && len(labels) == 1:
			names["var."+labels[0]] = true
		case block.Type == "resource" && len(labels) == 2:
			names[labels[0]+"."+labels[1]] = true
		case block.Type == "data" && len(labels) == 2:
			names["data."+labels[0]+"."+labels[1]] = true
		case block.Type == "locals":
			for name := range block.Body.Attributes {
				names["local."+name] = true
			}
		}
	}
	return names
}

func check(body *hclsyntax.Body, names map[string]bool) {
	for _, attribute := range body.Attributes {
		// Without the names that a `for` defines.
		for _, used := range attribute.Expr.Variables() {
			name, parts := used.RootName(), 2
			switch name {
			case "each", "count", "self", "path", "terraform":
				continue
			case "data":
				parts = 3
			// Words in blocks of the language: types and meta-arguments.
			case "string", "number", "bool", "any":
				continue
			}
			for at := 1; at < parts && at < len(used); at++ {
				if step, ok := used[at].(hcl.TraverseAttr); ok {
					name += "." + step.Name
				}
			}
			if !names[name] {
				fail("%s: there is no %s", attribute.SrcRange, name)
			}
		}
	}
	for _, block := range body.Blocks {
		check(block.Body, names)
	}
}

func tree(body *hclsyntax.Body, source []byte) map[string]any {
	all := map[string]any{}
	for name, attribute := range body.Attributes {
		value, problems := attribute.Expr.Value(nil)
		text, err := (ctyjson.SimpleJSONValue{Value: value}).MarshalJSON()
		if !problems.HasErrors() && err == nil {
			all[name] = json.RawMessage(text)
		} else {
			all[name] = string(attribute.Expr.Range().SliceBytes(source))
		}
	}
	for _, block := range body.Blocks {
		inner := all
		for _, key := range append([]string{block.Type}, block.Labels...) {
			if _, there := inner[key]; !there {
				inner[key] = map[string]any{}
			}
			inner = inner[key].(map[string]any)
		}
		for name, value := range tree(block.Body, source) {
			inner[name] = value
		}
	}
	return all
}
