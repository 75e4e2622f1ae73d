# Packer since 1.7 keeps its builders in plugins; `packer init packer` downloads this one. 1.6.6 has it built in and
# does not know this block, hence a file of its own.
packer {
  required_plugins {
    amazon = {
      version = "~> 1.3"
      source  = "github.com/hashicorp/amazon"
    }
  }
}
